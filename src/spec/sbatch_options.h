// The options of sbatch: one table for the reader, its messages and the documentation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spec/diagnostic.h"

namespace gw::spec {

enum class SbatchId : std::uint8_t {
  kUnsupported,
  // Mapped to the job.
  kAccount,
  kArray,
  kBegin,
  kChdir,
  kComment,
  kCpusPerGpu,
  kCpusPerTask,
  kDependency,
  kError,
  kExclusive,
  kExport,
  kGpus,
  kGpusPerNode,
  kGpusPerTask,
  kGres,
  kHold,
  kJobName,
  kMem,
  kMemPerCpu,
  kMemPerGpu,
  kNice,
  kNoRequeue,
  kNodes,
  kNtasks,
  kNtasksPerNode,
  kOpenMode,
  kOutput,
  kPriority,
  kRequeue,
  kSegment,
  kSignal,
  kSpreadJob,
  kReservation,
  kSwitches,
  kTime,
  kTresPerNode,
  kTresPerTask,
  // For the submitting program.
  kHelp,
  kIgnorePbs,
  kParsable,
  kQuiet,
  kTestOnly,
  kVerbose,
  kVersion,
  kWait,
  kWrap,
};

enum class SbatchArgument : std::uint8_t { kNone, kRequired, kOptional };

struct SbatchOption {
  std::string_view name;  ///< Without dashes.
  char letter = 0;        ///< The short form, or 0.
  SbatchArgument argument = SbatchArgument::kNone;
  SbatchId id = SbatchId::kUnsupported;
  std::string_view form;  ///< Of its argument: `[TYPE:]N`.
  std::string_view note;  ///< What it becomes; of one that is not supported: why not, and what to do.
};

/// In the order of the alphabet.
std::span<const SbatchOption> sbatch_options();

/// Where an option stands.
struct SbatchPlace {
  bool on_command_line = false;
  Mark at;
};

/// A word of a `#SBATCH` line or of the command line.
struct SbatchWord {
  std::string text;
  Mark at;
};

/// An option as it is used.
struct SbatchUse {
  const SbatchOption* option = nullptr;
  std::string value;  ///< Empty also where it has none.
  bool has_value = false;
  SbatchPlace place;
  /// `--gpus=6`, shortened where it is long.
  [[nodiscard]] std::string written() const;
};

/// `text` for a message: shortened where it is long, and UTF-8.
std::string shown(std::string_view text);

/// What is found about a script and its command line, in three kinds.
class SbatchFindings {
 public:
  explicit SbatchFindings(const std::string& file) : script_(file), line_("command line") {}

  void error(const SbatchPlace& place, std::string message) {
    of(place).errors.error(place.at, std::move(message));
  }
  void warning(const SbatchPlace& place, std::string message) {
    of(place).warnings.warning(place.at, std::move(message));
  }
  void unsupported(const SbatchPlace& place, std::string message) {
    of(place).unsupported.warning(place.at, std::move(message));
  }
  [[nodiscard]] std::size_t errors() const { return script_.errors.errors() + line_.errors.errors(); }
  [[nodiscard]] std::vector<Diagnostic> take_errors() { return both(script_.errors, line_.errors); }
  [[nodiscard]] std::vector<Diagnostic> take_warnings() { return both(script_.warnings, line_.warnings); }
  [[nodiscard]] std::vector<Diagnostic> take_unsupported() {
    return both(script_.unsupported, line_.unsupported);
  }

 private:
  struct Kinds {
    explicit Kinds(const std::string& file) : errors(file), warnings(file), unsupported(file) {}
    Findings errors;
    Findings warnings;
    Findings unsupported;
  };
  Kinds& of(const SbatchPlace& place) { return place.on_command_line ? line_ : script_; }
  static std::vector<Diagnostic> both(Findings& script, Findings& line);

  Kinds script_;
  Kinds line_;
};

/// Reads options as getopt_long does: `--nodes=2`, `--nodes 2`, `--job x` (for the only one that begins so),
/// `-N2`, `-N 2`, `-HQ`. Ends at the first word that is none, or after `--`; gives how many words were read.
std::size_t read_sbatch_options(std::span<const SbatchWord> words, bool on_command_line,
                                std::vector<SbatchUse>& uses, SbatchFindings& findings);

}  // namespace gw::spec
