// Reservations of a scenario, from their file.
#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "spec/demand_spec.h"
#include "spec/near_miss.h"

namespace gw::spec {
namespace {

/// The tenant of a path; none, and a finding, where there is none.
TenantId tenant_of(const Located<std::string>& path, const TenantTree& tenants, Findings& findings) {
  TenantId at = TenantTree::root();
  for (std::size_t begin = 0; begin <= path.value.size();) {
    const std::size_t slash = std::min(path.value.find('/', begin), path.value.size());
    const TenantId child = tenants.find_child(at, path.value.substr(begin, slash - begin));
    if (!child.valid()) {
      std::vector<std::string> known;
      for (std::uint32_t id = 1; id < tenants.size(); ++id) known.push_back(tenants.path(TenantId{id}));
      findings.error(path.at, fmt::format("no tenant \"{}\"{}", path.value,
                                          suggestion(path.value, known, "give its path, as `firm/lab`")));
      return {};
    }
    at = child;
    begin = slash + 1;
  }
  return at;
}

}  // namespace

std::vector<Reservation> build_reservations(const ScenarioFile& file, const Fleet& fleet,
                                            const TenantTree& tenants, Findings& findings) {
  std::vector<Reservation> reservations;
  std::set<std::string> names;
  for (const ReservationSpec& spec : file.reservations) {
    Reservation reservation;
    reservation.name = spec.name;
    if (!names.insert(spec.name).second)
      findings.error(
          spec.at, fmt::format("reservation \"{}\" stands here a second time; take another name", spec.name));
    WindowWish& wish = reservation.wish;
    WindowTerms& terms = wish.terms;
    if (spec.maintenance != spec.tenant.value.empty())
      findings.error(spec.at, "a reservation is for a `tenant`, or `maintenance: true`; write one of them");
    if (!spec.tenant.value.empty()) terms.tenant = tenant_of(spec.tenant, tenants, findings);
    if (spec.nodes.has_value() == spec.gpus.has_value())
      findings.error(spec.at, "a reservation is of `nodes` or of `gpus`; write one of them");
    wish.nodes = spec.nodes.value_or(0);
    wish.gpus = spec.gpus.value_or(0);
    if (!spec.type.value.empty()) {
      std::vector<std::string> known;
      for (std::size_t type = 0; type < fleet.gpu_types.size(); ++type) {
        known.push_back(fleet.gpu_types[type].name);
        if (known.back() == spec.type.value) wish.gpu_types = std::uint64_t{1} << type;
      }
      if (wish.gpu_types == 0)
        findings.error(spec.type.at, fmt::format("the fleet has no GPU type \"{}\"{}", spec.type.value,
                                                 suggestion(spec.type.value, known)));
    }
    if (!spec.level.value.empty()) {
      const int level = fleet.fabric_level(spec.level.value);
      std::vector<std::string> known;
      for (const Partition& partition : fleet.fabric) known.push_back(partition.level);
      if (level < 0) {
        findings.error(spec.level.at, fmt::format("the fleet has no fabric level \"{}\"{}", spec.level.value,
                                                  suggestion(spec.level.value, known)));
      } else {
        wish.level = static_cast<std::uint8_t>(level);
      }
    }
    terms.from = Instant{} + spec.from;
    terms.length = spec.length;
    terms.preempt = spec.preempt;
    reservation.made = Instant{} + spec.made.value_or(Nanoseconds{0});
    if (reservation.made > terms.from)
      findings.error(spec.at, "`made` is after `from`; ask for it before it begins");
    if (spec.every) {
      terms.every = *spec.every;
      terms.until = Instant{} + spec.until.value_or(std::max(file.workload.duration, spec.from + seconds(1)));
      if (terms.every < terms.length)
        findings.error(spec.at, "`every` is shorter than `for`; it would begin again before it is over");
      if (terms.until <= terms.from)
        findings.error(spec.at, "`until` is not after `from`; it would never begin");
      else if ((terms.until - terms.from) / terms.every >= 100'000)
        findings.error(spec.at, "it repeats more than 100,000 times; make `every` longer or `until` earlier");
    } else if (spec.until) {
      findings.error(spec.at,
                     "`until` makes sense with `every` only; remove it, or say how often it repeats");
    }
    reservations.push_back(std::move(reservation));
  }
  return reservations;
}

}  // namespace gw::spec
