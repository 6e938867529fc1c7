// Boost.Beast's parser of HTTP/1 heads, with the calls about bodies done away with; slow to compile, so only
// two files take it.
#pragma once

// clang-format off
#include <utility>  // Asio 1.74 uses std::exchange without it.
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
// clang-format on

#include <cstddef>
#include <cstdint>
#include <limits>

namespace gw::http {

namespace beast = boost::beast;

/// Parses one head and stops at its end; how large it may be is checked before.
template <bool kIsRequest>
class BeastHeadParser : public beast::http::basic_parser<kIsRequest> {
 protected:
  BeastHeadParser() {
    this->skip(true);
    this->eager(false);
    this->header_limit(std::numeric_limits<std::uint32_t>::max());
  }

  void on_request_impl(beast::http::verb /*known*/, beast::string_view /*method*/,
                       beast::string_view /*target*/, int /*version*/,
                       beast::error_code& /*error*/) override {}
  void on_response_impl(int /*status*/, beast::string_view /*reason*/, int /*version*/,
                        beast::error_code& /*error*/) override {}

 private:
  void on_header_impl(beast::error_code& /*error*/) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                         beast::error_code& /*error*/) override {}
  std::size_t on_body_impl(beast::string_view /*bytes*/, beast::error_code& /*error*/) override { return 0; }
  void on_chunk_header_impl(std::uint64_t /*size*/, beast::string_view /*extensions*/,
                            beast::error_code& /*error*/) override {}
  std::size_t on_chunk_body_impl(std::uint64_t /*left*/, beast::string_view /*bytes*/,
                                 beast::error_code& /*error*/) override {
    return 0;
  }
  void on_finish_impl(beast::error_code& /*error*/) override {}
};

}  // namespace gw::http
