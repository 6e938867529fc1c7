// Result<T>: the value of an operation that may fail in expected ways, or an Error a person can act on.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace gw {

/// An expected failure. `message` says where, what, and what to do next.
struct [[nodiscard]] Error {
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

/// `return fail("log.swf:12: ...")` from a function that gives a Result.
inline std::unexpected<Error> fail(std::string message) { return std::unexpected(Error{std::move(message)}); }

}  // namespace gw
