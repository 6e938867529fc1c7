// Writing of response heads.
#include "http/response_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <iterator>

#include "http/text.h"

namespace gw::http {
namespace {

/// What the server alone decides.
constexpr std::array<std::string_view, 6> kFramingHeaders = {
    "content-length", "transfer-encoding", "date", "keep-alive", "trailer", "upgrade"};

bool is_value(std::string_view text) {
  return std::ranges::all_of(text, [](char byte) {
    return byte == '\t' || (static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f);
  });
}

void append_number(std::string& out, std::size_t number, int base = 10) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base);
  out.append(digits.data(), end.ptr);
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

void append_json_text(std::string& out, std::string_view text) {
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += byte;
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      out += byte;
    }
  }
}

}  // namespace

std::string check_response(const Response& response) {
  if (response.status < 200 || response.status > 599)
    return fmt::format("its status {} is not between 200 and 599", response.status);
  if (!is_value(response.content_type)) return "its content type holds a control character";
  for (const auto& [name, value] : response.headers) {
    if (!is_token(name))
      return "the name of one of its headers is empty or holds a character that it may not";
    if (!is_value(value)) return fmt::format("its header {} holds a control character", name);
    for (const std::string_view framing : kFramingHeaders) {
      if (equals_ignoring_case(name, framing))
        return fmt::format("its header {} is the server's to set", name);
    }
  }
  return {};
}

void append_head(std::string& out, const Response& response, BodyEnd end, std::size_t body_bytes,
                 std::string_view connection, std::string_view date) {
  out += "HTTP/1.1 ";
  append_number(out, response.status);
  out += ' ';
  out += status_name(response.status);
  out += "\r\n";
  append_header(out, "Date", date);
  if (end == BodyEnd::kLength) {
    out += "Content-Length: ";
    append_number(out, body_bytes);
    out += "\r\n";
  } else if (end == BodyEnd::kChunked) {
    append_header(out, "Transfer-Encoding", "chunked");
  }
  if (!connection.empty()) append_header(out, "Connection", connection);
  // Without a body, a type would only mislead.
  if (!response.content_type.empty() && end != BodyEnd::kNone && (end != BodyEnd::kLength || body_bytes > 0))
    append_header(out, "Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) {
    if (!equals_ignoring_case(name, "connection")) append_header(out, name, value);
  }
  out += "\r\n";
}

void append_chunk_size(std::string& out, std::size_t size) {
  append_number(out, size, 16);
  out += "\r\n";
}

Response problem(unsigned status, std::string_view detail) {
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = fmt::format("{{\"title\":\"{}\",\"status\":{},\"detail\":\"", status_name(status), status);
  append_json_text(response.body, detail);
  response.body += "\"}\n";
  return response;
}

std::string_view status_name(unsigned status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 423:
      return "Locked";
    case 425:
      return "Too Early";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

std::string http_date(std::time_t time) {
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<std::size_t>(parts.tm_wday)],
                     parts.tm_mday, kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace gw::http
