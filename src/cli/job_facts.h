// What commands say of a job that the server shows: in words, and where it is one of many.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/app.h"
#include "client/connection.h"

namespace gw {

/// `4`, `0.5`; `-` for 0 and what is no number.
std::string number_text(const client::Json& json);
/// The time limit.
std::string limit_text(const client::Json& job);

/// `leaving for job 12`: for one that has been told to go.
std::string leaving_text(const client::Json& job);

/// Where a job runs, why it waits, or why it ended as it did: WHERE OR WHY of `gw ps`.
std::string where_text(const client::Json& job);

/// The file that a job writes its output (`stream` "output") or errors ("error") to, %j and the like resolved
/// as far as the job tells; empty where Gigawerk keeps it. `job` is an answer with "spec".
std::string output_file(const client::Json& job, const char* stream);

/// Whether `id` names a whole array of more than one task, of which `job` is the first.
bool is_whole_array(std::string_view id, const client::Json& job);

/// After an error that says how to ask for one task, where `id` is a whole array; also where the server
/// fails.
std::optional<ExitCode> refuse_array(const AppContext& context, client::Connection& connection,
                                     std::string_view id, std::string_view command);

/// `3-999`, `1,3,5-9`; of many pieces the first few. `indices` ascend.
std::string ranges_text(const std::vector<std::uint64_t>& indices);

}  // namespace gw
