// Waiting for the end of jobs: by the server's events, checked against what it says when it is asked.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "client/connection.h"

namespace gw::client {

/// Waits until the job of this id has ended; where the id is an array's number, every task of it. Calls
/// `ended` with each job as the server shows it, tasks in the order of their numbers. One stream of events
/// serves the whole array. A server that goes away is looked for as long as Connection::patience says.
///
/// No end is missed: the stream is open before the server is asked, and it is asked again after each break
/// of the stream, at each `reset`, and once more when the stream has proved to be joined.
///
/// `streaming`, where there is one, gets the connection that is about to wait in a stream, for who wants to
/// interrupt it, and null when it does so no more; false ends the waiting with a failure `interrupted`.
std::optional<Failure> wait_for_end(Connection& connection, std::string_view id,
                                    const std::function<void(const Json&)>& ended,
                                    const std::function<bool(Connection*)>& streaming = {});

}  // namespace gw::client
