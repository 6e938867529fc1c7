// Names in place of numbers, GPU-seconds in place of thousandths.
#include "api/defrag_json.h"

namespace gw::api {
namespace {

double gpu_seconds(std::int64_t milli) { return static_cast<double>(milli) / 1000; }

}  // namespace

Json defrag_json(const sched::DefragPlan& plan, const sched::DefragWish& wish, const sched::State& state,
                 const Fleet& fleet, const std::function<std::string(JobId)>& job_name,
                 const std::string& as_of) {
  Json json;
  json["level"] = fleet.fabric[wish.level].level;
  json["domains"] = plan.domains;
  json["free_now"] = plan.free_now;
  json["stuck"] = plan.stuck;
  json["freed"] = Json::array();
  for (const sched::DefragPlan::Domain& domain : plan.freed) {
    Json one{{"nodes", Json::array()}, {"jobs", Json::array()}};
    for (const NodeId node : domain.nodes) one["nodes"].push_back(fleet.node_name(node));
    for (const JobId job : domain.jobs) one["jobs"].push_back(job_name(job));
    one["lost_gpu_s"] = gpu_seconds(domain.lost_gpu_milli_s);
    json["freed"].push_back(std::move(one));
  }
  json["moves"] = Json::array();
  for (const sched::DefragPlan::Move& move : plan.moves) {
    Json one{{"job", job_name(move.job)},
             {"lost_gpu_s", gpu_seconds(move.lost_gpu_milli_s)},
             {"starts_at_once", move.starts_at_once},
             {"to", Json::array()}};
    for (const sched::Piece& piece : move.to.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        one["to"].push_back(fleet.node_name(state.fleet_node(move.to, node)));
    }
    json["moves"].push_back(std::move(one));
  }
  if (!as_of.empty()) json["as_of"] = as_of;
  json["lost_gpu_s"] = gpu_seconds(plan.lost_gpu_milli_s);
  json["verified"] = plan.verified;
  return json;
}

}  // namespace gw::api
