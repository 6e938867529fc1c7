// MemoryStore: a store in memory, for simulations and for trials that need keep nothing.
#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "live/store.h"

namespace gw::live {

class MemoryStore : public Store {
 public:
  Result<void> commit(const Changes& changes) override {
    if (changes.journal) journal.push_back(*changes.journal);
    if (changes.snapshot) snapshots.push_back(*changes.snapshot);
    for (const JobRecord& job : changes.new_jobs) jobs[job.number] = job;
    for (const JobRecord& job : changes.changed_jobs) jobs[job.number] = job;
    for (const AttemptRecord& attempt : changes.new_attempts) attempts[attempt.id] = attempt;
    for (const AttemptRecord& attempt : changes.changed_attempts) attempts[attempt.id] = attempt;
    for (const TenantRecord& tenant : changes.tenants) tenants[tenant.id] = tenant;
    for (const NodeRecord& node : changes.nodes) nodes[node.name] = node;
    for (const ReservationRecord& reservation : changes.reservations)
      reservations[reservation.id] = reservation;
    for (const CapRecord& cap : changes.caps) caps[cap.id] = cap;
    for (const TokenRecord& token : changes.tokens) tokens[token.id] = token;
    for (const IdempotencyRecord& key : changes.keys) keys[{key.scope, key.key}] = key;
    for (const auto& [name, value] : changes.settings) settings[name] = value;
    std::copy(changes.reasons.begin(), changes.reasons.end(), std::back_inserter(reasons));
    std::copy(changes.audit.begin(), changes.audit.end(), std::back_inserter(audit));
    std::copy(changes.decisions.begin(), changes.decisions.end(), std::back_inserter(decisions));
    std::copy(changes.transfers.begin(), changes.transfers.end(), std::back_inserter(transfers));
    return {};
  }

  Result<Loaded> load() override {
    Loaded loaded;
    loaded.settings.assign(settings.begin(), settings.end());
    for (const auto& [id, tenant] : tenants) loaded.tenants.push_back(tenant);
    for (const auto& [number, job] : jobs) {
      if (job.state != JobState::kEnded) loaded.jobs.push_back(job);
      loaded.last_job = number + job.stands_for - 1;
    }
    for (const auto& [id, attempt] : attempts) {
      if (!attempt.ended) loaded.attempts.push_back(attempt);
    }
    for (const auto& [name, node] : nodes) loaded.nodes.push_back(node);
    for (const auto& [id, reservation] : reservations) loaded.reservations.push_back(reservation);
    for (const auto& [id, cap] : caps) loaded.caps.push_back(cap);
    for (const auto& [id, token] : tokens) loaded.tokens.push_back(token);
    if (!snapshots.empty()) loaded.snapshot = snapshots.back();
    if (!audit.empty()) loaded.last_audit = audit.back().sequence;
    if (!decisions.empty()) loaded.last_decision = {decisions.back().sequence, decisions.back().hash};
    if (!transfers.empty()) loaded.last_transfer = transfers.back().sequence;
    return loaded;
  }

  Result<void> journal_after(std::uint64_t sequence,
                             const std::function<bool(const JournalRow&)>& row) override {
    for (const JournalRow& each : journal) {
      if (each.sequence > sequence && !row(each)) break;
    }
    return {};
  }

  Result<std::optional<EndedJob>> ended_job(std::uint64_t number) override {
    auto at = jobs.upper_bound(number);
    if (at == jobs.begin()) return std::nullopt;
    const JobRecord& job = (--at)->second;
    if (number >= job.number + job.stands_for || job.state != JobState::kEnded) return std::nullopt;
    return EndedJob{number, job.array_job, job.array_tasks, job.tenant, job.outcome};
  }

  Result<EndedTasks> ended_tasks(std::uint64_t first) override {
    EndedTasks tasks;
    for (auto at = jobs.lower_bound(first); at != jobs.end() && at->second.array_job == first; ++at) {
      if (at->second.state != JobState::kEnded) continue;
      tasks.ended += at->second.stands_for;
      if (at->second.outcome != Outcome::kCompleted) tasks.bad += at->second.stands_for;
    }
    return tasks;
  }

  Result<void> transfers_after(Instant when, const std::function<void(const TransferRecord&)>& row) override {
    for (const TransferRecord& transfer : transfers) {
      if (transfer.to > when) row(transfer);
    }
    return {};
  }

  Result<std::optional<IdempotencyRecord>> find_key(std::string_view scope, std::string_view key) override {
    const auto at = keys.find({std::string(scope), std::string(key)});
    if (at == keys.end()) return std::nullopt;
    return at->second;
  }

  std::vector<JournalRow> journal;
  std::vector<SnapshotRow> snapshots;
  std::map<std::uint64_t, JobRecord> jobs;
  std::map<AttemptId, AttemptRecord> attempts;
  std::map<TenantId, TenantRecord> tenants;
  std::map<std::string, NodeRecord> nodes;
  std::map<WindowId, ReservationRecord> reservations;
  std::map<std::uint32_t, CapRecord> caps;
  std::map<std::string, TokenRecord> tokens;
  std::map<std::pair<std::string, std::string>, IdempotencyRecord> keys;
  std::map<std::string, std::string> settings;
  std::vector<ReasonRecord> reasons;
  std::vector<AuditRecord> audit;
  std::vector<DecisionRow> decisions;
  std::vector<TransferRecord> transfers;
};

}  // namespace gw::live
