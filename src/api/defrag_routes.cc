// What it would cost to free whole parts of the fabric.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "api/api.h"
#include "live/time_text.h"
#include "sched/defrag.h"

namespace gw::api {
namespace {

double gpu_seconds(std::int64_t milli) { return static_cast<double>(milli) / 1000; }

}  // namespace

void Api::defrag(Call call) {
  const std::optional<std::uint64_t> domains = call.number("domains", 1, 1, 10'000);
  if (!domains) return;
  post(std::move(call), Readers::Size::kShort, [this, domains = *domains](const Call& each, live::Archive&) {
    sched::DefragWish wish;
    wish.domains = static_cast<std::uint32_t>(domains);
    const Fleet* fleet = nullptr;  // It does not change while the factory is open.
    PolicyConfig policy;
    std::string snapshot;
    Instant now;
    options_.factory->read([&](const live::Book& book) {
      fleet = &book.fleet;
      policy = book.core->state().policy;
      snapshot = book.core->snapshot();
      now = book.core->now();
    });
    const std::string level = each.text("level");
    const int index = level.empty() ? 0 : fleet->fabric_level(level);
    if (index < 0) {
      std::vector<std::string> known;
      for (const Partition& partition : fleet->fabric) known.push_back(partition.level);
      return each.refuse({404, "unknown_level",
                          fmt::format("this factory has no fabric level \"{}\"; it has: {}", level,
                                      fmt::join(known, ", "))});
    }
    wish.level = static_cast<std::uint8_t>(index);
    if (const std::string type = each.text("gpu_type"); !type.empty()) {
      for (std::size_t at = 0; at < fleet->gpu_types.size() && at < 64; ++at) {
        if (fleet->gpu_types[at].name == type) wish.gpu_types = std::uint64_t{1} << at;
      }
      if (wish.gpu_types == 0)
        return each.refuse(
            {404, "unknown_gpu_type", fmt::format("this factory has no GPU type \"{}\"", type)});
    }
    sched::Core copy(*fleet, policy);
    if (!copy.restore(snapshot)) return each.refuse({500, "internal", "the core's own snapshot is no good"});
    const sched::DefragPlan plan = sched::plan_defrag(copy, wish);
    Json json;
    json["level"] = fleet->fabric[wish.level].level;
    json["domains"] = plan.domains;
    json["free_now"] = plan.free_now;
    json["stuck"] = plan.stuck;
    options_.factory->read([&](const live::Book& book) {
      std::map<JobId, std::string> names;
      for (const sched::DefragPlan::Move& move : plan.moves) names.emplace(move.job, "ended");  // Since.
      for (const auto& [number, job] : book.jobs) {
        const auto at = names.find(job.record.core);
        if (at != names.end()) at->second = job_id(job.record);
      }
      const auto name = [&](JobId job) { return names.at(job); };
      json["freed"] = Json::array();
      for (const sched::DefragPlan::Domain& domain : plan.freed) {
        Json one;
        one["nodes"] = Json::array();
        for (const NodeId node : domain.nodes) one["nodes"].push_back(book.node_name(node));
        one["jobs"] = Json::array();
        for (const JobId job : domain.jobs) one["jobs"].push_back(name(job));
        one["lost_gpu_s"] = gpu_seconds(domain.lost_gpu_milli_s);
        json["freed"].push_back(std::move(one));
      }
      json["moves"] = Json::array();
      for (const sched::DefragPlan::Move& move : plan.moves) {
        Json one;
        one["job"] = name(move.job);
        one["lost_gpu_s"] = gpu_seconds(move.lost_gpu_milli_s);
        one["starts_at_once"] = move.starts_at_once;
        one["to"] = Json::array();
        for (const sched::Piece& piece : move.to.pieces) {
          for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
            one["to"].push_back(book.node_name(copy.state().fleet_node(move.to, node)));
        }
        json["moves"].push_back(std::move(one));
      }
      json["as_of"] = live::time_text(book.unix_ns(now));
    });
    json["lost_gpu_s"] = gpu_seconds(plan.lost_gpu_milli_s);
    json["verified"] = plan.verified;
    each.answer(json);
  });
}

}  // namespace gw::api
