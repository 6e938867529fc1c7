// JSON to values.
#include "top/answers.h"

#include <map>

#include "live/time_text.h"

namespace gw::top {
namespace {

const Json* member(const Json& json, const char* key) {
  if (!json.is_object()) return nullptr;
  const auto found = json.find(key);
  return found == json.end() ? nullptr : &*found;
}

Use read_use(const Json& json, std::string name) {
  return {std::move(name),         number_at(json, "all"), number_at(json, "used"),
          number_at(json, "free"), number_at(json, "off"), number_at(json, "reserved")};
}

std::string above(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

std::string text_at(const Json& json, const char* key) {
  const Json* value = member(json, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

double number_at(const Json& json, const char* key) {
  const Json* value = member(json, key);
  return value != nullptr && value->is_number() ? value->get<double>() : 0;
}

std::int64_t whole_at(const Json& json, const char* key) {
  const Json* value = member(json, key);
  if (value == nullptr || !value->is_number()) return 0;
  if (value->is_number_integer()) return value->get<std::int64_t>();
  const double number = value->get<double>();
  return number > -9e18 && number < 9e18 ? static_cast<std::int64_t>(number) : 0;
}

bool flag_at(const Json& json, const char* key) {
  const Json* value = member(json, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

std::int64_t time_at(const Json& json, const char* key) {
  const std::string text = text_at(json, key);
  return text.empty() ? kNoTime : live::parse_time(text).value_or(kNoTime);
}

const Json& list_at(const Json& json, const char* key) {
  static const Json none = Json::array();
  const Json* value = member(json, key);
  return value != nullptr && value->is_array() ? *value : none;
}

const Json& object_at(const Json& json, const char* key) {
  static const Json none = Json::object();
  const Json* value = member(json, key);
  return value != nullptr && value->is_object() ? *value : none;
}

Summary read_summary(const Json& json) {
  Summary summary;
  summary.now_ns = time_at(json, "now");
  summary.fleet = text_at(json, "fleet");
  summary.policy = text_at(json, "policy");
  summary.engine = text_at(json, "engine");
  summary.version = text_at(json, "version");
  summary.healthy = flag_at(json, "healthy");
  summary.nodes = whole_at(json, "nodes");
  summary.nodes_off = whole_at(json, "nodes_off");
  for (const Json& type : list_at(json, "gpus"))
    summary.gpus.push_back(read_use(type, text_at(type, "gpu_type")));
  if (const Json& cpus = object_at(json, "cpus"); !cpus.empty()) summary.cpus = read_use(cpus, "CPUs");
  const Json& jobs = object_at(json, "jobs");
  summary.open = whole_at(jobs, "open");
  summary.running = whole_at(jobs, "running");
  if (const Json& states = object_at(json, "jobs_by_state"); !states.empty())
    summary.states = {whole_at(states, "waiting"), whole_at(states, "blocked"), whole_at(states, "held")};
  return summary;
}

JobRow read_job(const Json& json) {
  JobRow job;
  job.id = text_at(json, "id");
  job.name = text_at(json, "name");
  job.tenant = text_at(json, "tenant");
  job.user = text_at(json, "user");
  job.status = flag_at(json, "stopping") ? "stopping" : text_at(json, "status");
  job.place = text_at(json, "place");
  job.reason = text_at(json, "reason");
  job.array_job = whole_at(object_at(json, "array"), "job");
  job.nodes = whole_at(json, "nodes");
  job.limit_s = whole_at(json, "limit_s");
  job.priority = whole_at(json, "priority");
  job.gpus = number_at(json, "gpus");
  job.cpus = number_at(json, "cpus");
  job.submitted_ns = time_at(json, "submitted");
  job.started_ns = time_at(json, "started");
  return job;
}

NodeRow read_node(const Json& json) {
  NodeRow node;
  node.name = text_at(json, "name");
  node.state = text_at(json, "state");
  node.gpu_type = text_at(json, "gpu_type");
  node.type = text_at(json, "type");
  node.reason = text_at(json, "reason");
  node.gpus = whole_at(json, "gpus");
  node.gpus_free = whole_at(json, "gpus_free");
  node.cpus = number_at(json, "cpus");
  node.cpus_free = number_at(json, "cpus_free");
  node.memory_mib = whole_at(json, "memory_mib");
  node.memory_mib_free = whole_at(json, "memory_mib_free");
  return node;
}

TenantRow read_tenant(const Json& json) {
  TenantRow tenant;
  tenant.path = text_at(json, "path");
  tenant.weight = whole_at(json, "weight");
  tenant.jobs = whole_at(json, "jobs");
  tenant.running = whole_at(json, "running");
  tenant.gpus_running = number_at(json, "gpus_running");
  tenant.gpus_asked = number_at(json, "gpus_asked");
  tenant.most_gpus = number_at(object_at(json, "limits"), "gpus");
  tenant.most_jobs = whole_at(object_at(json, "limits"), "jobs");
  return tenant;
}

void set_due(std::vector<TenantRow>& tenants) {
  std::map<std::string, double> weights;  // Of active children, by the path above.
  std::map<std::string, TenantRow*> by_path;
  for (TenantRow& tenant : tenants) {
    by_path[tenant.path] = &tenant;
    if (tenant.jobs > 0) weights[above(tenant.path)] += static_cast<double>(tenant.weight);
  }
  for (auto& [path, tenant] : by_path) {  // A path sorts before those below it.
    tenant->due = 0;
    if (tenant->jobs == 0) continue;
    const auto parent = by_path.find(above(path));
    const double whole = parent == by_path.end() ? 1 : parent->second->due;
    tenant->due = whole * static_cast<double>(tenant->weight) / weights[above(path)];
  }
}

}  // namespace gw::top
