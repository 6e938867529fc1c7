// What the server answers, as plain values. Answers are read with care: a field that is missing or of another
// type than expected is as if it were empty.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/connection.h"

namespace gw::top {

using client::Json;

inline constexpr std::int64_t kNoTime = INT64_MIN;

std::string text_at(const Json& json, const char* key);
double number_at(const Json& json, const char* key);
std::int64_t whole_at(const Json& json, const char* key);
bool flag_at(const Json& json, const char* key);
/// Nanoseconds since 1970; kNoTime where there is none.
std::int64_t time_at(const Json& json, const char* key);
/// The member; an empty array or object where there is none.
const Json& list_at(const Json& json, const char* key);
const Json& object_at(const Json& json, const char* key);

/// How much of something is used, free, off (on nodes that are down or drained), and free but kept for
/// somebody.
struct Use {
  std::string name;
  double all = 0, used = 0, free = 0, off = 0, reserved = 0;
};

struct Summary {
  std::int64_t now_ns = kNoTime;
  std::string fleet, policy, engine, version;
  bool healthy = true;
  std::int64_t nodes = 0, nodes_off = 0;
  std::vector<Use> gpus;    ///< By type.
  std::optional<Use> cpus;  ///< None where the server does not say.
  std::int64_t open = 0, running = 0;
  /// Only for those who see the whole factory.
  struct States {
    std::int64_t waiting = 0, blocked = 0, held = 0;
  };
  std::optional<States> states;
};
Summary read_summary(const Json& json);

struct JobRow {
  std::string id, name, tenant, user, status, place, reason;
  std::int64_t array_job = 0;  ///< 0: it is no task of an array.
  std::int64_t nodes = 0, limit_s = 0, priority = 0;
  double gpus = 0, cpus = 0;
  std::int64_t submitted_ns = kNoTime, started_ns = kNoTime;
  [[nodiscard]] bool running() const { return status == "running" || status == "stopping"; }
};
JobRow read_job(const Json& json);

struct NodeRow {
  std::string name, state, gpu_type, type, reason;
  std::int64_t gpus = 0, gpus_free = 0;
  double cpus = 0, cpus_free = 0;
  std::int64_t memory_mib = 0, memory_mib_free = 0;
};
NodeRow read_node(const Json& json);

struct TenantRow {
  std::string path;
  std::int64_t weight = 1, jobs = 0, running = 0, most_jobs = 0;
  double gpus_running = 0, gpus_asked = 0, most_gpus = 0;
  double due = -1;  ///< Its part by weight among those who have jobs; negative: not known. See set_due.
};
TenantRow read_tenant(const Json& json);

/// Fills `due`: at each level of the tree, the part of the level above is split by weight between tenants
/// with jobs.
void set_due(std::vector<TenantRow>& tenants);

}  // namespace gw::top
