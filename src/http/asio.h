// Boost.Asio, with what its headers need first.
#pragma once

#ifdef __SANITIZE_THREAD__
// The sanitizer does not know fences; those of Asio stand beside locks that it knows.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

#define BOOST_ASIO_NO_DEPRECATED

// clang-format off
#include <utility>  // Asio 1.74 uses std::exchange without it.
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
// clang-format on

namespace gw::http {
namespace asio = boost::asio;
}
