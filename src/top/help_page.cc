// What the keys do and what the columns mean.
#include "top/screen.h"

namespace gw::top {

std::span<const TextLine> help_text() {
  static const Look bold{Hue::kPlain, true, false, false};
  static const TextLine lines[] = {
      {"Everywhere", "", bold},
      {"q", "leave this page; in a list: quit", {}},
      {"?", "this page", {}},
      {"^C", "quit at once", {}},
      {"Up Down j k", "one line", {}},
      {"PageUp PageDown", "one screen", {}},
      {"Home End g G", "to the first or the last line", {}},
      {"", "", {}},
      {"Lists", "", bold},
      {"1 2 3 Tab", "queue, nodes, tenants", {}},
      {"/", "only rows with this text (any case) in a name, user, tenant, state, reason, place", {}},
      {"Esc", "without the filter again; the queue of all tenants again", {}},
      {"s S", "sort by the next column; the other way round", {}},
      {"Enter", "the job or node in detail; the queue of the tenant", {}},
      {"", "", {}},
      {"Jobs", "", bold},
      {"o", "what it prints, as it prints it", {}},
      {"c", "cancel it (asks first)", {}},
      {"h r", "hold it while it waits; let it go on", {}},
      {"", "", {}},
      {"Nodes", "", bold},
      {"d", "drain: what runs goes on, nothing new starts (asks first)", {}},
      {"r", "take it back into service", {}},
      {"", "", {}},
      {"What is shown", "", bold},
      {"bars", "filled: in use; hatched: off (down or drained); empty: free", {}},
      {"queue",
       "running jobs, then waiting ones as the policy orders them (under fair share: by priority and "
       "age; which tenant is next depends on what each has used), then blocked and held ones",
       {}},
      {"TIME", "how long it has run, or has waited since it was submitted", {}},
      {"WHERE OR WHY", "the nodes of a running job; what keeps a waiting one back", {}},
      {"ASKED", "GPUs that wait beside those that run", {}},
      {"SHARE",
       "part of the factory's GPUs that runs for the tenant; the line across is its part by weight "
       "among tenants with jobs",
       {}},
      {"times", "UTC, by the server's clock", {}},
  };
  return lines;
}

}  // namespace gw::top
