// What it would cost to free whole parts of the fabric.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "api/api.h"
#include "api/defrag_json.h"
#include "live/time_text.h"
#include "sched/defrag.h"

namespace gw::api {
void Api::defrag(Call call) {
  const std::optional<std::uint64_t> domains = call.number("domains", 1, 1, 10'000);
  if (!domains) return;
  post(std::move(call), Readers::Size::kShort, [this, domains = *domains](const Call& each, live::Archive&) {
    sched::DefragWish wish;
    wish.domains = static_cast<std::uint32_t>(domains);
    std::shared_ptr<const Fleet> fleet;
    PolicyConfig policy;
    std::string snapshot;
    Instant now;
    options_.factory->read([&](const live::Book& book) {
      fleet = book.shared_fleet();
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
    std::map<JobId, std::string> names;
    std::string as_of;
    for (const sched::DefragPlan::Move& move : plan.moves) names.emplace(move.job, "ended");  // Since.
    options_.factory->read([&](const live::Book& book) {
      for (const auto& [number, job] : book.jobs) {
        const auto at = names.find(job.record.core);
        if (at != names.end()) at->second = job_id(job.record);
      }
      as_of = live::time_text(book.unix_ns(now));
    });
    each.answer(
        defrag_json(plan, wish, copy.state(), *fleet, [&](JobId job) { return names.at(job); }, as_of));
  });
}

}  // namespace gw::api
