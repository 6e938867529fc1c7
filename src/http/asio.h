// Boost.Asio, with what its headers need first.
#pragma once

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
