// The table of sbatch's options, finding them, and printing the table.
#include "spec/sbatch_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "spec/near_miss.h"
#include "spec/sbatch.h"

namespace gw::spec {

namespace {

constexpr SbatchArgument kNone = SbatchArgument::kNone;
constexpr SbatchArgument kRequired = SbatchArgument::kRequired;
constexpr SbatchArgument kOptional = SbatchArgument::kOptional;
constexpr SbatchId kUnsupported = SbatchId::kUnsupported;

constexpr std::string_view kSockets =
    "Gigawerk does not place by sockets, cores and threads; say --ntasks-per-node and --cpus-per-task";
constexpr std::string_view kBinding =
    "Gigawerk does not bind tasks; use numactl, taskset or CUDA_VISIBLE_DEVICES in the script";
constexpr std::string_view kChoosesNodes =
    "Gigawerk chooses the nodes; say what is needed of them, such as a type of GPU (--gpus-per-node=h100:8)";
constexpr std::string_view kTopology = "say --switches=1, or `within` in a job file";
constexpr std::string_view kOneFactory =
    "a server of Gigawerk is one factory; submit to the one that is meant";
constexpr std::string_view kContainers = "say `image` in a job file";
constexpr std::string_view kBurstBuffers = "there are no burst buffers; copy data in the script";
constexpr std::string_view kMail = "Gigawerk sends no mail; wait with --wait, or watch the job's events";
constexpr std::string_view kClocks = "clocks and power are set by the operator";
constexpr std::string_view kIdentity = "submit as that user";

/// All options that sbatch of Slurm 22.05 to 26.05 takes (src/common/slurm_opt.c of the release tags), hidden
/// ones and a few that older scripts have included.
constexpr SbatchOption kOptions[] = {
    {"account", 'A', kRequired, SbatchId::kAccount, "TENANT",
     "`tenant`, as it is given: `acme` or `acme/vision`"},
    {"acctg-freq", 0, kRequired, kUnsupported, "", "Gigawerk meters every job itself"},
    {"array", 'a', kRequired, SbatchId::kArray, "0-99:2%10", "`array`"},
    {"autocomplete", 0, kRequired, kUnsupported, "", "use the completion of gw"},
    {"batch", 0, kRequired, kUnsupported, "",
     "the script runs on the job's first node, all nodes being alike"},
    {"bb", 0, kRequired, kUnsupported, "", kBurstBuffers},
    {"bbf", 0, kRequired, kUnsupported, "", kBurstBuffers},
    {"begin", 'b', kRequired, SbatchId::kBegin, "TIME",
     "`begin`: `now+1hour`, `16:00`, `tomorrow`, `2026-12-01T08:00:00`, ..., in local time"},
    {"chdir", 'D', kRequired, SbatchId::kChdir, "FOLDER",
     "`working_folder`; a relative one is seen from where sbatch runs, which is also the default"},
    {"cluster", 0, kRequired, kUnsupported, "", kOneFactory},
    {"cluster-constraint", 0, kRequired, kUnsupported, "", kOneFactory},
    {"clusters", 'M', kRequired, kUnsupported, "", kOneFactory},
    {"comment", 0, kRequired, SbatchId::kComment, "TEXT", "`comment`"},
    {"consolidate-segments", 0, kNone, kUnsupported, "", kTopology},
    {"constraint", 'C', kRequired, kUnsupported, "",
     "nodes have no features; ask for a type of GPU (--gpus-per-node=h100:8)"},
    {"container", 0, kRequired, kUnsupported, "", kContainers},
    {"container-id", 0, kRequired, kUnsupported, "", kContainers},
    {"context", 0, kRequired, kUnsupported, "", "SELinux contexts are set by the operator"},
    {"contiguous", 0, kNone, kUnsupported, "", kTopology},
    {"core-spec", 'S', kRequired, kUnsupported, "", "cores for the system are set aside by the operator"},
    {"cores-per-socket", 0, kRequired, kUnsupported, "", kSockets},
    {"cpu-freq", 0, kRequired, kUnsupported, "", kClocks},
    {"cpus-per-gpu", 0, kRequired, SbatchId::kCpusPerGpu, "N", "`cpus`: times the GPUs on a node"},
    {"cpus-per-task", 'c', kRequired, SbatchId::kCpusPerTask, "N", "`cpus`: times the tasks on a node"},
    {"deadline", 0, kRequired, kUnsupported, "",
     "what is late is not cancelled; a job file's `deadline` with `flexible` moves its start to cheaper "
     "hours"},
    {"delay-boot", 0, kRequired, kUnsupported, "", "nodes are not rebooted for jobs"},
    {"dependency", 'd', kRequired, SbatchId::kDependency, "afterok:12:13,after:14",
     "`depends`; with `?` between them, one will do. Kinds: afterok, afternotok, afterany, after"},
    {"distribution", 'm', kRequired, kUnsupported, "", "tasks are numbered node by node (block)"},
    {"error", 'e', kRequired, SbatchId::kError, "FILE", "`error`"},
    {"exclude", 'x', kRequired, kUnsupported, "", kChoosesNodes},
    {"exclusive", 0, kOptional, SbatchId::kExclusive, "",
     "`exclusive: node`; `user`, `mcs` and `topo` are not supported"},
    {"export", 0, kRequired, SbatchId::kExport, "ALL,NAME,NAME=VALUE",
     "`environment`; `ALL` (the default), `NONE`, `NIL` or a list"},
    {"export-file", 0, kRequired, kUnsupported, "", "say --export, or `environment` in a job file"},
    {"external", 0, kNone, kUnsupported, "", "every job is launched by Gigawerk"},
    {"extra", 0, kRequired, kUnsupported, "", "say --comment"},
    {"extra-node-info", 'B', kRequired, kUnsupported, "", kSockets},
    {"get-user-env", 0, kOptional, kUnsupported, "", "begin the script with `#!/bin/bash -l`"},
    {"gid", 0, kRequired, kUnsupported, "", kIdentity},
    {"gpu-bind", 0, kRequired, kUnsupported, "", kBinding},
    {"gpu-freq", 0, kRequired, kUnsupported, "", kClocks},
    {"gpus", 'G', kRequired, SbatchId::kGpus, "[TYPE:]N",
     "`gpus`: N in all, evenly over --nodes; on one node where --nodes is not said"},
    {"gpus-per-node", 0, kRequired, SbatchId::kGpusPerNode, "[TYPE:]N", "`gpus`, and `gpu_types`"},
    {"gpus-per-socket", 0, kRequired, kUnsupported, "", kSockets},
    {"gpus-per-task", 0, kRequired, SbatchId::kGpusPerTask, "[TYPE:]N", "`gpus`: times the tasks on a node"},
    {"gres", 0, kRequired, SbatchId::kGres, "gpu[:TYPE][:N]",
     "`gpus`, and `gpu_types`; other resources are not supported"},
    {"gres-flags", 0, kRequired, kUnsupported, "", kBinding},
    {"help", 'h', kNone, SbatchId::kHelp, "", "print the help"},
    {"hint", 0, kRequired, kUnsupported, "", kSockets},
    {"hold", 'H', kNone, SbatchId::kHold, "", "`hold`"},
    {"ignore-pbs", 0, kNone, SbatchId::kIgnorePbs, "",
     "give no warning about `#PBS` lines, which are never read"},
    {"input", 'i', kRequired, kUnsupported, "",
     "standard input is empty; redirect it in the script: `program < FILE`"},
    {"job-name", 'J', kRequired, SbatchId::kJobName, "NAME", "`name`; else the script's file name"},
    {"kill-on-invalid-dep", 0, kRequired, kUnsupported, "",
     "what becomes of jobs whose dependency cannot hold any more is the server's policy"},
    {"licenses", 'L', kRequired, kUnsupported, "",
     "Gigawerk counts no licenses; an array's % limits how many run at a time"},
    {"mail-type", 0, kRequired, kUnsupported, "", kMail},
    {"mail-user", 0, kRequired, kUnsupported, "", kMail},
    {"mcs-label", 0, kRequired, kUnsupported, "", "tenants are kept apart by the server"},
    {"mem", 0, kRequired, SbatchId::kMem, "N[KMGT]",
     "`memory` of each node, in MiB where there is no unit; 0 is not supported"},
    {"mem-bind", 0, kRequired, kUnsupported, "", kBinding},
    {"mem-per-cpu", 0, kRequired, SbatchId::kMemPerCpu, "N[KMGT]", "`memory`: times the cores on a node"},
    {"mem-per-gpu", 0, kRequired, SbatchId::kMemPerGpu, "N[KMGT]", "`memory`: times the GPUs on a node"},
    {"mem-update", 0, kRequired, kUnsupported, "", "a job keeps its memory; say --mem"},
    {"mincpus", 0, kRequired, kUnsupported, "", "say --cpus-per-task"},
    {"network", 0, kRequired, kUnsupported, "", kTopology},
    {"nice", 0, kOptional, SbatchId::kNice, "N", "`priority`, less N; less 100 where there is no N"},
    {"no-kill", 'k', kOptional, kUnsupported, "",
     "a job ends when one of its nodes fails, and waits again with --requeue"},
    {"no-requeue", 0, kNone, SbatchId::kNoRequeue, "", "`requeue: false`"},
    {"nodefile", 'F', kRequired, kUnsupported, "", kChoosesNodes},
    {"nodelist", 'w', kRequired, kUnsupported, "", kChoosesNodes},
    {"nodes", 'N', kRequired, SbatchId::kNodes, "N", "`nodes`; of a range the least, and `nodes_max`"},
    {"ntasks", 'n', kRequired, SbatchId::kNtasks, "N",
     "`tasks_per_node`: evenly over --nodes; on one node where neither --nodes nor --ntasks-per-node is "
     "said"},
    {"ntasks-per-core", 0, kRequired, kUnsupported, "", kSockets},
    {"ntasks-per-gpu", 0, kRequired, kUnsupported, "", "say --ntasks-per-node"},
    {"ntasks-per-node", 0, kRequired, SbatchId::kNtasksPerNode, "N", "`tasks_per_node`"},
    {"ntasks-per-socket", 0, kRequired, kUnsupported, "", kSockets},
    {"ntasks-per-tres", 0, kRequired, kUnsupported, "", "say --ntasks-per-node"},
    {"oom-kill-step", 0, kOptional, kUnsupported, "", "a job that goes over its memory is killed as a whole"},
    {"open-mode", 0, kRequired, SbatchId::kOpenMode, "append",
     "nothing, being what happens; `truncate` is not supported"},
    {"output", 'o', kRequired, SbatchId::kOutput, "FILE",
     "`output`; else Gigawerk keeps it. In it: %j %A %a %x %N %u %t %%"},
    {"overcommit", 'O', kNone, kUnsupported, "",
     "cores are not promised twice; ask for a fraction with `cpus` in a job file"},
    {"oversubscribe", 's', kNone, kUnsupported, "", "nodes are shared anyway; leave it out"},
    {"parsable", 0, kNone, SbatchId::kParsable, "", "print the job's number alone"},
    {"partition", 'p', kRequired, kUnsupported, "",
     "Gigawerk has no partitions; say which type of GPU will do (--gpus-per-node=h100:8), or leave it out"},
    {"power", 0, kRequired, kUnsupported, "", kClocks},
    {"prefer", 0, kRequired, kUnsupported, "",
     "nodes have no features; ask for a type of GPU (--gpus-per-node=h100:8)"},
    {"priority", 0, kRequired, SbatchId::kPriority, "N", "`priority`"},
    {"profile", 0, kRequired, kUnsupported, "", "Gigawerk meters every job itself"},
    {"propagate", 0, kOptional, kUnsupported, "", "call ulimit in the script"},
    {"qos", 'q', kRequired, kUnsupported, "",
     "Gigawerk has no QOS; say --priority, or `preemptible` in a job file, or leave it out"},
    {"quiet", 'Q', kNone, SbatchId::kQuiet, "", "print errors only"},
    {"reboot", 0, kNone, kUnsupported, "", "nodes are not rebooted for jobs"},
    {"requeue", 0, kOptional, SbatchId::kRequeue, "", "`requeue: true`, the default"},
    {"reservation", 0, kRequired, SbatchId::kReservation, "NAME", "`reservation`"},
    {"resources", 0, kRequired, kUnsupported, "", "Gigawerk counts GPUs, cores and memory only"},
    {"resv-ports", 0, kOptional, kUnsupported, "", "let programs choose free ports"},
    {"runtime", 0, kRequired, kUnsupported, "", kContainers},
    {"segment", 0, kRequired, SbatchId::kSegment, "N", "`segment`, within the fleet's lowest network level"},
    {"share", 0, kNone, kUnsupported, "", "nodes are shared anyway; leave it out"},
    {"signal", 0, kRequired, SbatchId::kSignal, "[B:]USR1[@SECONDS]",
     "`warning`, 60 s before the limit where no time is said; with `B:` to the script's shell alone"},
    {"sockets-per-node", 0, kRequired, kUnsupported, "", kSockets},
    {"spread-job", 0, kNone, SbatchId::kSpreadJob, "", "`spread: leaf`, not required"},
    {"spread-segments", 0, kNone, kUnsupported, "", kTopology},
    {"stepmgr", 0, kNone, kUnsupported, "", "there are no steps to manage"},
    {"switches", 0, kRequired, SbatchId::kSwitches, "1[@TIME]",
     "`within: leaf`, not required; more than 1 is not supported"},
    {"tasks-per-node", 0, kRequired, SbatchId::kNtasksPerNode, "N", "as --ntasks-per-node"},
    {"test-only", 0, kNone, SbatchId::kTestOnly, "", "submit nothing; say what would happen"},
    {"thread-spec", 0, kRequired, kUnsupported, "", "cores for the system are set aside by the operator"},
    {"threads-per-core", 0, kRequired, kUnsupported, "", kSockets},
    {"time", 't', kRequired, SbatchId::kTime, "TIME",
     "`limit`: minutes, m:s, h:m:s, d-h, d-h:m or d-h:m:s; 0 and UNLIMITED are a hundred years"},
    {"time-min", 0, kRequired, kUnsupported, "", "a job has one limit; say --time"},
    {"tmp", 0, kRequired, kUnsupported, "", "disk space is not counted"},
    {"tres-bind", 0, kRequired, kUnsupported, "", kBinding},
    {"tres-per-node", 0, kRequired, SbatchId::kTresPerNode, "gres/gpu[:TYPE][:N]", "as --gres"},
    {"tres-per-task", 0, kRequired, SbatchId::kTresPerTask, "cpu=N,gres/gpu=N",
     "as --cpus-per-task and --gpus-per-task"},
    {"uid", 0, kRequired, kUnsupported, "", kIdentity},
    {"usage", 0, kNone, SbatchId::kHelp, "", "print the help"},
    {"use-min-nodes", 0, kNone, kUnsupported, "",
     "a range of nodes starts on as many as are free; say --nodes with one number for the least"},
    {"verbose", 'v', kNone, SbatchId::kVerbose, "", "print more"},
    {"version", 'V', kNone, SbatchId::kVersion, "", "print the version"},
    {"wait", 'W', kNone, SbatchId::kWait, "", "return when the job has ended, with its exit code"},
    {"wait-all-nodes", 0, kRequired, kUnsupported, "", "a job starts when all of its nodes are ready"},
    {"wckey", 0, kRequired, kUnsupported, "", "say --account or --comment"},
    {"workdir", 0, kRequired, kUnsupported, "", "say --chdir, as Slurm calls it since 17.11"},
    {"wrap", 0, kRequired, SbatchId::kWrap, "COMMAND",
     "take this command for sh as the script, in place of a file"},
};

bool is_client(SbatchId id) { return id >= SbatchId::kHelp; }

}  // namespace

std::span<const SbatchOption> sbatch_options() { return kOptions; }

std::string shown(std::string_view text) {
  if (!is_utf8(text)) {  // Of a command line; messages are UTF-8.
    std::string plain(text);
    std::replace_if(
        plain.begin(), plain.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
    return shown(plain);
  }
  constexpr std::size_t kShown = 60;
  if (text.size() <= kShown) return std::string(text);
  return std::string(utf8_front(text, kShown)) + "...";
}

std::string SbatchUse::written() const {
  return has_value ? fmt::format("--{}={}", option->name, shown(value)) : fmt::format("--{}", option->name);
}

std::vector<Diagnostic> SbatchFindings::both(Findings& script, Findings& line) {
  std::vector<Diagnostic> all = script.take();
  for (Diagnostic& finding : line.take()) all.push_back(std::move(finding));
  return all;
}

// --- Reading options ---

namespace {

/// Reads words one after the other.
class OptionReader {
 public:
  OptionReader(std::span<const SbatchWord> words, bool on_command_line, std::vector<SbatchUse>& uses,
               SbatchFindings& findings)
      : words_(words), on_command_line_(on_command_line), uses_(uses), findings_(findings) {}

  std::size_t read() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_].text;
      if (word.size() < 2 || word.front() != '-') break;
      word_ = next_++;
      if (word == "--") break;
      if (word.starts_with("--")) {
        read_long(std::string_view(word).substr(2));
      } else {
        read_short(std::string_view(word).substr(1));
      }
    }
    return next_;
  }

 private:
  [[nodiscard]] SbatchPlace place() const { return {on_command_line_, words_[word_].at}; }

  void read_long(std::string_view word) {
    const std::size_t equals = word.find('=');
    const SbatchOption* option = find(word.substr(0, equals));
    if (option == nullptr) return;
    SbatchUse use{option, {}, false, place()};
    if (equals != std::string_view::npos) {
      if (option->argument == SbatchArgument::kNone) {
        findings_.error(place(), fmt::format("--{} takes no value; leave \"{}\" out", option->name,
                                             shown(word.substr(equals))));
        return;
      }
      use.value = word.substr(equals + 1);
      use.has_value = true;
    } else if (option->argument == SbatchArgument::kRequired && !take_value(use)) {
      return;
    }
    uses_.push_back(std::move(use));
  }

  /// `-HN2`: letters without arguments, and perhaps one with.
  void read_short(std::string_view letters) {
    while (!letters.empty()) {
      const char letter = letters.front();
      letters.remove_prefix(1);
      const auto* const option =
          std::find_if(std::begin(kOptions), std::end(kOptions),
                       [letter](const SbatchOption& known) { return known.letter == letter && letter != 0; });
      if (option == std::end(kOptions)) {
        findings_.error(place(), fmt::format("unknown option {}", shown(words_[word_].text)));
        return;
      }
      SbatchUse use{option, {}, false, place()};
      if (option->argument != SbatchArgument::kNone && !letters.empty()) {
        use.value = std::exchange(letters, {});
        use.has_value = true;
        if (use.value.front() == '=')
          findings_.warning(
              place(),
              fmt::format("after a short option `=` is part of the value; write -{} {} or --{}{}", letter,
                          shown(std::string_view(use.value).substr(1)), option->name, shown(use.value)));
      } else if (option->argument == SbatchArgument::kRequired && !take_value(use)) {
        return;
      }
      uses_.push_back(std::move(use));
    }
  }

  bool take_value(SbatchUse& use) {
    if (next_ == words_.size()) {
      findings_.error(place(), fmt::format("--{} needs a value: --{}={}", use.option->name, use.option->name,
                                           use.option->form.empty() ? "VALUE" : use.option->form));
      return false;
    }
    use.value = words_[next_++].text;
    use.has_value = true;
    return true;
  }

  /// The option of that name, or the only one that begins so.
  const SbatchOption* find(std::string_view name) {
    std::vector<std::string_view> candidates;
    const SbatchOption* found = nullptr;
    for (const SbatchOption& option : kOptions) {
      if (option.name == name) return &option;
      if (name.empty() || !option.name.starts_with(name)) continue;
      candidates.push_back(option.name);
      found = &option;
    }
    if (candidates.size() == 1) return found;
    if (candidates.size() > 1) {
      findings_.error(
          place(), fmt::format("--{} may be --{}; write one of them", name, fmt::join(candidates, ", --")));
      return nullptr;
    }
    std::string advice;
    if (findings_.errors() < Findings::kMax) {  // More are only counted: no need to look for near misses.
      std::vector<std::string> known;
      for (const SbatchOption& option : kOptions) known.push_back(fmt::format("--{}", option.name));
      advice = suggestion(fmt::format("--{}", name), known, "sbatch has no such option");
    }
    findings_.error(place(), fmt::format("unknown option --{}{}", shown(name), advice));
    return nullptr;
  }

  std::span<const SbatchWord> words_;
  bool on_command_line_;
  std::vector<SbatchUse>& uses_;
  SbatchFindings& findings_;
  std::size_t next_ = 0;
  std::size_t word_ = 0;  ///< The one that is being read.
};

}  // namespace

std::size_t read_sbatch_options(std::span<const SbatchWord> words, bool on_command_line,
                                std::vector<SbatchUse>& uses, SbatchFindings& findings) {
  return OptionReader(words, on_command_line, uses, findings).read();
}

// --- Documentation ---

namespace {

std::string in_table(const SbatchOption& option) {
  std::string text;
  if (option.letter != 0) text = fmt::format("`-{}`, ", option.letter);
  text += fmt::format("`--{}", option.name);
  if (!option.form.empty() && option.argument == SbatchArgument::kRequired)
    text += fmt::format("={}", option.form);
  if (!option.form.empty() && option.argument == SbatchArgument::kOptional)
    text += fmt::format("[={}]", option.form);
  return text + "`";
}

std::string sentence(std::string_view text) {
  std::string written(text);
  if (!written.empty() && written[0] >= 'a' && written[0] <= 'z' && !written.starts_with("numactl"))
    written[0] = static_cast<char>(written[0] - 'a' + 'A');
  return written + ".";
}

}  // namespace

std::string sbatch_markdown() {
  std::string mapped = "| option | becomes |\n|---|---|\n";
  std::string client = "| option | the submitting program will |\n|---|---|\n";
  std::string unsupported = "| option | why not, and what to do |\n|---|---|\n";
  for (const SbatchOption& option : kOptions) {
    if (option.id == SbatchId::kUnsupported) {
      unsupported += fmt::format("| {} | {} |\n", in_table(option), sentence(option.note));
    } else {
      (is_client(option.id) ? client : mapped) += fmt::format("| {} | {} |\n", in_table(option), option.note);
    }
  }
  return fmt::format("### Supported\n\n{}\n### For the submitting program\n\n{}\n### Not supported\n\n{}",
                     mapped, client, unsupported);
}

}  // namespace gw::spec
