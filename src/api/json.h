// JSON of the API: jobs, attempts, nodes, tenants as clients see them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "live/archive.h"
#include "live/book.h"
#include "live/commands.h"

namespace gw::api {

using Json = nlohmann::ordered_json;

/// As text; bytes that are no UTF-8 become U+FFFD.
std::string text_of(const Json& json);

/// How deep lists and objects stand in each other in a JSON text (of other texts: some number).
std::size_t nesting_of(std::string_view text);

/// `1234`, or `1200_7` for task 7 of array 1200.
std::string job_id(const live::JobRecord& job);

/// A job number, perhaps with a task: `1234`, `1200_7`.
struct JobReference {
  std::uint64_t number = 0;
  std::optional<std::uint32_t> index;
};
std::optional<JobReference> parse_job_id(std::string_view text);

/// GPUs, CPUs: thousandths as a number with at most three digits behind the point.
Json thousandths(std::int64_t milli);

Json job_json(const live::Book& book, const live::JobRecord& job);
/// What only a job that has not ended has: why it waits.
void add_live_facts(const live::LiveJob& job, Json& json);

/// A job as it is at one moment, to be written down later.
struct JobMoment {
  live::JobRecord record;
  live::BlockReason blocked = live::BlockReason::kNone;
  sched::Reason reason = sched::Reason::kNone;
  bool leaving = false;
  std::uint64_t leaving_for = 0;
};
/// `now`: what the book has of it; null if it has ended.
JobMoment moment_of(const live::JobRecord& record, const live::LiveJob* now);
Json job_json(const live::Book& book, const JobMoment& moment);

Json attempt_json(const live::Book& book, const live::AttemptRecord& attempt);
Json tenant_json(const live::Book& book, const live::LiveTenant& tenant);
/// `12`, of a task `18_1`; as job_id has it of a record.
std::string job_id(std::uint64_t number, std::uint64_t array_job, std::uint32_t array_index);
Json node_json(const live::Book& book, NodeId node);
/// `up`, `down`, `draining` or `drained`.
std::string_view node_state(const live::Book& book, NodeId node);
Json token_json(const live::Book& book, const live::TokenRecord& token);
/// The record as it was hashed, up to the order of its keys and spaces.
Json decision_json(const live::Book& book, const live::DecisionRow& row);
Json audit_json(const live::Book& book, const live::AuditRecord& audit);
Json error_json(const live::Refusal& refusal);

/// `queued` for people: what keeps a job back, in a sentence.
std::string_view block_text(live::BlockReason reason);

}  // namespace gw::api
