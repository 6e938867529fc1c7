// DecisionRecord: what is written down of every admitted and refused job: the facts, the rules, the outcome.
//
// Its text is canonical JSON (RFC 8785: keys in order, no spaces, whole numbers), so that anyone can compute
// the same hash from it. docs/sovereignty.md specifies its members.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/law.h"

namespace gw::audit {

struct DecisionRecord {
  std::uint64_t sequence = 0;  ///< From 1, without gaps.
  std::string time;            ///< `2026-11-26T18:30:00.000000000Z`, or `86400.000000000` s of a simulation.
  std::optional<std::uint64_t> job;  ///< Its number; none: it was refused before it had one.
  std::uint32_t tasks = 1;           ///< Of an array: numbers `job`, `job` + 1, ...
  std::string name;
  std::string submitter;
  /// `admitted`, `refused`, or `reviewed`: the law or a fact has changed, and with it where the job may be.
  std::string outcome;
  std::string reason;   ///< Of a refusal: `rule`, `quota`, ...
  std::string message;  ///< Of a refusal, in words: the binding rule and what would lift it.
  TenantFacts tenant;
  LegalWishes facts;
  std::optional<Day> day;  ///< For which rules were in force; none: all were.
};

/// `decision` may be none: the job was refused before the law was asked.
std::string canonical_json(const DecisionRecord& record, const Law& law, const LawDecision* decision);

/// What tells two wordings of a rule apart: 16 hexadecimal digits of the hash of all its fields.
std::string rule_version(const LegalRule& rule);

}  // namespace gw::audit
