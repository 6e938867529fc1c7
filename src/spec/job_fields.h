// The fields of a job's file: one description for the reader, the schema and the reference.
#pragma once

#include "spec/described.h"
#include "spec/job_check.h"
#include "spec/job_spec_file.h"
#include "spec/job_text.h"

namespace gw::spec {

inline constexpr std::string_view kLaunches[] = {"every-task", "first-node"};
inline constexpr std::string_view kIsolations[] = {"none", "bubblewrap", "container"};
inline constexpr std::string_view kWarningReceivers[] = {"all", "first"};

namespace job_limits {
inline constexpr double kLongestNs = kLongestSeconds * 1e9;
inline constexpr double kShortestNs = 1e9;
}  // namespace job_limits

template <class Visitor>
void describe(Visitor& visit, WarningRecord& warning) {
  visit.field("signal", warning.signal,
              {.help = "By name, e.g. USR1 or TERM.",
               .required = true,
               .pattern = "^([Ss][Ii][Gg])?[A-Za-z]+[0-9]?(\\+[0-9]+)?$|^[0-9]+$",
               .example = "USR1"});
  visit.field("before", warning.before,
              {.help = "How long before the limit.",
               .required = true,
               .min = job_limits::kShortestNs,
               .max = job_limits::kLongestNs});
  visit.field(
      "to", warning.to,
      {.help = "`all` processes of the job, or only the `first` one of each task (a script's own shell).",
       .choices = kWarningReceivers});
}

/// What runs, and where its texts go.
template <class Visitor>
void describe_program(Visitor& visit, JobRecord& job) {
  visit.field("name", job.name,
              {.help = "Name for people; need not be unique.",
               .text = Text::kLine,
               .default_text = "the program's",
               .bytes_max = job_limits::kNameBytes});
  visit.field("tenant", job.tenant,
              {.help = "Who pays: the path of a tenant.",
               .text = Text::kTenantPath,
               .default_text = "the submitter's",
               .example = "acme/vision"});
  visit.field("command", job.command,
              {.help = "A program and its arguments, started without a shell; at most 128 KiB in all.",
               .items_min = 1,
               .items_max = job_limits::kWords,
               .empty_allowed = true});
  visit.field("script", job.script,
              {.help = "The text of a program that begins with `#!` and its interpreter.",
               .bytes_max = job_limits::kScriptBytes,
               .pattern = "^#![ \\t]*[^ \\t\\r\\n]"});
  visit.field("arguments", job.arguments,
              {.help = "Of the script.", .items_max = job_limits::kWords, .empty_allowed = true});
  visit.field("working_folder", job.working_folder,
              {.help = "Absolute path of the folder that it starts in.",
               .text = Text::kLine,
               .default_text = "a folder of its own",
               .bytes_max = job_limits::kPathBytes,
               .pattern = "^/",
               .example = "/home/ada/run"});
  visit.field("environment", job.environment,
              {.help = "Variables; at most 1 MiB in all.",
               .bytes_max = job_limits::kVariableBytes,
               .empty_allowed = true,
               .names = Text::kVariable});
  visit.field(
      "output", job.output,
      {.help =
           "File for standard output, seen from the working folder. In it, %j is the job's number, %A the "
           "array's, %a the task's index, %x the name, %N the first node, %u the user, %t the rank, %% a %.",
       .text = Text::kLine,
       .default_text = "kept by Gigawerk",
       .bytes_max = job_limits::kPathBytes,
       .pattern = "^([^%]|%[jAaxNut%])+$",
       .example = "logs/%x-%j.out"});
  visit.field("error", job.error,
              {.help = "File for standard error, likewise.",
               .text = Text::kLine,
               .default_text = "with the output",
               .bytes_max = job_limits::kPathBytes,
               .pattern = "^([^%]|%[jAaxNut%])+$",
               .example = "logs/%x-%j.err"});
  visit.field(
      "isolation", job.isolation,
      {.help = "How it is kept apart from the machine: not at all, with its own view of the file system, or "
               "in a container.",
       .choices = kIsolations,
       .default_text = "container where there is an image, else none"});
  visit.field("image", job.image,
              {.help = "Container image.",
               .text = Text::kLine,
               .bytes_max = job_limits::kImageBytes,
               .example = "docker.io/pytorch/pytorch:2.4.0-cuda12.4-cudnn9-runtime"});
  visit.field(
      "launch", job.launch,
      {.help =
           "Start it once for each task on each node (as srun does), or once on the first node (as sbatch "
           "does).",
       .choices = kLaunches});
  visit.exactly_one({"command", "script"});
}

/// What it needs, all at the same time.
template <class Visitor>
void describe_resources(Visitor& visit, JobRecord& job) {
  visit.field("nodes", job.nodes,
              {.help = "Number of nodes.", .min = 1, .max = job_limits::kNodes, .default_text = "1"});
  visit.field(
      "nodes_max", job.nodes_max,
      {.help = "It is elastic: any number of nodes from `nodes` to this will do. It starts on as many as "
               "are free, and with a `checkpoint_interval` it gets more or fewer while it runs.",
       .min = 1,
       .max = job_limits::kNodes,
       .default_text = "`nodes`"});
  visit.field("gpus", job.gpus,
              {.help = "GPUs on each node.", .min = 0, .max = job_limits::kGpusPerNode, .default_text = "0"});
  visit.field("gpus_anywhere", job.gpus_anywhere,
              {.help = "GPUs in all, on any nodes of one kind; `cpus` and `memory` are then in all too.",
               .min = 1,
               .max = job_limits::kGpusAnywhere,
               .default_text = "none"});
  visit.field("gpu_share", job.gpu_share,
              {.help = "A share of one GPU, in whole thousandths.",
               .min = 0.001,
               .max = 0.999,
               .default_text = "none"});
  visit.field("gpu_types", job.gpu_types,
              {.help = "Any of these types will do; the first is not preferred.",
               .text = Text::kName,
               .items_min = 1,
               .items_max = job_limits::kGpuTypes,
               .default_text = "any"});
  visit.field("cpus", job.cpus,
              {.help = "Processor cores on each node, such as 16 or 0.5.",
               .min = 0.001,
               .max = job_limits::kCpuMilli * 1e-3,
               .default_text = "no wish"});
  visit.field("memory", job.memory,
              {.help = "Main memory on each node, rounded down to MiB.",
               .min = 1 << 20,
               .max = job_limits::kMemoryMib * 1048576.0,
               .default_text = "no wish"});
  visit.field("tasks_per_node", job.tasks_per_node,
              {.help = "How often `launch: every-task` starts it on each node.",
               .min = 1,
               .max = job_limits::kTasksPerNode});
  visit.field(
      "within", job.within,
      {.help =
           "Level of the network that should hold all nodes: a name from the fleet's `fabric`, or `node`, "
           "`site`.",
       .text = Text::kName,
       .default_text = "any"});
  visit.field("within_required", job.within_required, {.help = "Rather wait than span more than `within`."});
  visit.field(
      "residency", job.residency,
      {.help = "Countries or groups of countries where its code, data, checkpoints and outputs may be; "
               "which groups there are, the factory says.",
       .text = Text::kName,
       .items_max = job_limits::kLegalNames,
       .default_text = "anywhere",
       .example = "EU"});
  visit.field("excluded_jurisdictions", job.excluded_jurisdictions,
              {.help = "No site that answers to one of these countries or groups.",
               .text = Text::kName,
               .items_max = job_limits::kLegalNames,
               .default_text = "none",
               .example = "US"});
  visit.field("certifications", job.certifications,
              {.help = "Only sites that have all of these.",
               .text = Text::kName,
               .items_max = job_limits::kLegalNames,
               .default_text = "none",
               .example = "bsi-c5"});
  visit.field("data", job.data,
              {.help = "Classes of its data, by which the factory's rules go.",
               .text = Text::kName,
               .items_max = job_limits::kLegalNames,
               .default_text = "none",
               .example = "personal"});
  visit.field("segment", job.segment,
              {.help = "The nodes are blocks of so many, each inside one `segment_level`; `nodes` is a "
                       "multiple of it.",
               .min = 1,
               .max = job_limits::kNodes,
               .default_text = "no blocks"});
  visit.field("segment_level", job.segment_level,
              {.help = "Level of the network that holds a block.",
               .text = Text::kName,
               .default_text = "the fleet's lowest",
               .example = "nvlink"});
  visit.field(
      "exclusive", job.exclusive,
      {.help = "Has whole ones of that level to itself, and pays for all of them: `node`, or a level of "
               "the network. Its nodes and GPUs are rounded up.",
       .text = Text::kName,
       .default_text = "shares",
       .example = "rack"});
  visit.field("spread", job.spread,
              {.help = "Level of the network over which the nodes are spread, for replicas.",
               .text = Text::kName,
               .default_text = "close together",
               .example = "rack"});
  visit.field("spread_required", job.spread_required,
              {.help = "Rather wait than have more than an even share of the nodes in one."});
  visit.at_most_one({"nodes", "gpus_anywhere"});
  visit.at_most_one({"segment", "spread"});
  visit.at_most_one({"gpus", "gpus_anywhere", "gpu_share"});
}

/// When it runs, and what happens then.
template <class Visitor>
void describe_times(Visitor& visit, JobRecord& job) {
  visit.field("limit", job.limit,
              {.help = "Stopped after so long.",
               .min = job_limits::kShortestNs,
               .max = job_limits::kLongestNs,
               .default_text = "the server's"});
  visit.field("warning", job.warning, {.help = "A signal before the limit.", .default_text = "none"});
  visit.field("grace", job.grace,
              {.help = "Time from SIGTERM to SIGKILL when it is stopped.",
               .min = 0,
               .max = job_limits::kLongestGraceSeconds * 1e9});
  visit.field(
      "begin", job.begin,
      {.help = "Not before this time, which names its zone.",
       .default_text = "at once",
       .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$",
       .example = "2026-12-01T08:00:00Z"});
  visit.field("reservation", job.reservation,
              {.help = "Runs on the nodes of this reservation in its times, and nowhere else.",
               .text = Text::kName,
               .default_text = "wherever it may",
               .example = "demo-day"});
  visit.field(
      "deadline", job.deadline,
      {.help = "It should have ended by this time, which names its zone; what is late goes on.",
       .default_text = "none",
       .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})$",
       .example = "2026-12-02T08:00:00Z"});
  visit.field("flexible", job.flexible,
              {.help = "It may wait for a cheaper or greener hour, as far as its deadline allows."});
  visit.field("priority", job.priority, {.help = "Larger is sooner, where the policy looks at it."});
  visit.field("hold", job.hold, {.help = "Wait until it is released."});
  visit.field("preemptible", job.preemptible, {.help = "May be stopped for others, and wait again."});
  visit.field("requeue", job.requeue,
              {.help = "Wait again after a failure of the machine; else it has failed."});
  visit.field("keep_on_failure", job.keep_on_failure,
              {.help = "Where a node fails, keep the others and start again at once with a spare one near "
                       "them, if there is one."});
  visit.field("checkpoint_interval", job.checkpoint_interval,
              {.help = "How often it saves what it needs to go on after a failure.",
               .min = job_limits::kShortestNs,
               .max = job_limits::kLongestNs,
               .default_text = "no checkpoints"});
  visit.field(
      "array", job.array,
      {.help =
           "Run it once for each of these task indices: ranges, with steps, and after % how many at a time; "
           "at most 1,000,000 tasks.",
       .default_text = "none",
       .pattern = "^[0-9]+(-[0-9]+(:[0-9]+)?)?(,[0-9]+(-[0-9]+(:[0-9]+)?)?)*(%[0-9]+)?$",
       .example = "0-99%10"});
  visit.field(
      "depends", job.depends,
      {.help =
           "What must have become of other jobs: it has completed (afterok), ended otherwise (afternotok), "
           "ended (afterany) or started (after).",
       .items_min = 1,
       .items_max = job_limits::kDependencies,
       .default_text = "none",
       .pattern = "^(afterok|afternotok|afterany|after):[0-9]+$",
       .example = "afterok:12"});
  visit.field("depends_any", job.depends_any, {.help = "One of `depends` will do; else all must hold."});
  visit.field("comment", job.comment, {.help = "For people.", .bytes_max = job_limits::kCommentBytes});
}

template <class Visitor>
void describe(Visitor& visit, JobRecord& job) {
  describe_program(visit, job);
  describe_resources(visit, job);
  describe_times(visit, job);
}

template <class Visitor>
void describe(Visitor& visit, JobFile& file) {
  visit.field("gigawerk", file.gigawerk,
              {.help = "Version of this format: 1.", .required = true, .min = 1, .max = 1});
  visit.field("job", file.job, {.help = "What to run.", .required = true});
}

}  // namespace gw::spec
