// Job files with one mistake each: the reader must say what is wrong and where, and the schema must refuse
// those that need no arithmetic and no look at other keys.
#pragma once

#include <string>
#include <vector>

namespace gw::spec {

struct BrokenJob {
  const char* keys;     ///< Lines of the mapping, the first of them line 4 of the file.
  const char* finding;  ///< The reader's first line, without the file's name.
  bool schema_knows = true;

  [[nodiscard]] std::string text() const {
    return std::string("gigawerk: 1\njob:\n  command: [hostname]\n") + keys;
  }
};

inline const std::vector<BrokenJob>& broken_jobs() {
  static const std::vector<BrokenJob> jobs = {
      {"  gpuss: 8\n", "4:3: unknown key \"gpuss\"; did you mean \"gpus\"?"},
      {"  name: 12\n", "4:9: \"name\" must be a text; write \"12\" in quotes"},
      {"  name: \"a\\nb\"\n",
       "4:9: \"name\" must be a text without line breaks and other control characters, not "},
      {"  name: \"a\\0b\"\n", "4:9: \"name\" must be a text without line breaks"},
      {"  comment: \"a\\0b\"\n", "4:12: \"comment\" must be a text without zero bytes", false},
      {"  tenant: /acme\n", "4:11: \"tenant\" must be a tenant's path such as acme/vision"},
      {"  tenant: acme//vision\n", "4:11: \"tenant\" must be a tenant's path"},
      {"  script: |\n    #!/bin/sh\n", "4:3: \"command\" and \"script\" exclude each other; keep one"},
      {"  arguments: [a]\n", "4:14: \"arguments\" belong to a script; write a command's into \"command\"",
       false},
      {"  working_folder: run\n", "4:19: \"working_folder\" must be an absolute path: it begins with `/`"},
      {"  environment: {OMP: 8}\n", "4:22: \"OMP\" must be a text; write \"8\" in quotes"},
      {"  environment: {1A: x}\n",
       "4:17: a name in \"environment\" must be a variable's name: letters, digits"},
      {"  environment: [A=1]\n", "4:16: \"environment\" must map names to texts, not a list"},
      {"  environment: {A: x, A: y}\n", "4:23: key \"A\" stands here a second time", false},
      {"  output: log.%q\n",
       "4:11: \"output\" takes no \"%q\"; there are %j %A %a %x %N %u %t (%5a: at least five digits), and %% "
       "for %"},
      {"  error: 100%\n", "4:10: \"error\" takes no \"%\";"},
      {"  isolation: jail\n", "4:14: \"isolation\" cannot be \"jail\"; one of: none, bubblewrap, container"},
      {"  isolation: container\n", "3:3: \"image\" is missing: `isolation: container` needs one", false},
      {"  isolation: none\n  image: x\n", "5:10: \"image\" needs `isolation: container`", false},
      {"  launch: everywhere\n", "4:11: \"launch\" cannot be \"everywhere\""},
      {"  nodes: 0\n", "4:10: \"nodes\" must be a whole number from 1 to 20000000, not \"0\""},
      {"  nodes: 2-4\n", "4:10: \"nodes\" must be a whole number"},
      {"  gpus: 65\n", "4:9: \"gpus\" must be a whole number from 0 to 64, not \"65\""},
      {"  gpus: 0.5\n", "4:9: \"gpus\" must be a whole number"},
      {"  gpus: 1\n  gpu_share: 0.5\n", "5:3: \"gpus\" and \"gpu_share\" exclude each other; keep one"},
      {"  nodes: 2\n  gpus_anywhere: 8\n",
       "5:3: \"nodes\" and \"gpus_anywhere\" exclude each other; keep one"},
      {"  nodes: 2\n  gpu_share: 0.5\n", "5:14: \"gpu_share\" is of one GPU, so \"nodes\" must be 1", false},
      {"  gpu_share: 1\n", "4:14: \"gpu_share\" must be a number from 0.001 to 0.999, not \"1\""},
      {"  gpu_share: 0.1234\n", "4:14: \"gpu_share\" counts thousandths; write 0.123", false},
      {"  gpus_anywhere: 8\n  tasks_per_node: 8\n",
       "5:19: \"tasks_per_node\" needs nodes that are equal; write", false},
      {"  gpu_types: [h100]\n", "4:14: \"gpu_types\" needs GPUs; write \"gpus\" too", false},
      {"  gpus: 1\n  gpu_types: [h100, h100]\n", "5:14: \"gpu_types\" has \"h100\" twice; keep one", false},
      {"  gpus: 1\n  gpu_types: []\n", "5:14: \"gpu_types\" must have at least 1 item, not 0"},
      {"  cpus: 0\n", "4:9: \"cpus\" must be a number from 0.001 to 1000000000, not \"0\""},
      {"  cpus: 0.0005\n", "4:9: \"cpus\" must be a number from 0.001"},
      {"  memory: 64\n", "4:11: \"memory\" must be an amount with its unit, not \"64\"; write for example"},
      {"  memory: 0.5 MB\n", "4:11: \"memory\" is out of range: 0.5 MB; it must be from 1 MiB to", false},
      {"  tasks_per_node: 0\n", "4:19: \"tasks_per_node\" must be a whole number from 1 to 4096"},
      {"  within_required: true\n", "4:20: \"within_required\" needs \"within\"", false},
      {"  limit: 4\n", "4:10: \"limit\" must be an amount with its unit, not \"4\""},
      {"  limit: 0s\n", "4:10: \"limit\" is out of range: 0s; it must be from 1s to 36500d", false},
      {"  limit: 1500ms\n", "4:10: \"limit\" must be whole seconds from 0s to 36500d", false},
      {"  limit: 36501d\n", "4:10: \"limit\" is out of range: 36501d", false},
      {"  grace: 25h\n", "4:10: \"grace\" is out of range: 25h", false},
      {"  warning: USR1\n",
       "4:12: \"warning\" must be a mapping with the keys signal, before, to; not \"USR1\""},
      {"  warning: {before: 5min}\n", "4:12: \"warning\" lacks the key \"signal\""},
      {"  warning: {signal: USR3, before: 5min}\n",
       "4:21: \"signal\": there is no signal \"USR3\"; did you mean \"USR", false},
      {"  warning: {signal: \"32\", before: 5min}\n", "4:21: \"signal\": there is no signal \"32\"", false},
      {"  warning: {signal: 10, before: 5min}\n", "4:21: \"signal\" must be a text; write \"10\" in quotes"},
      {"  limit: 5min\n  warning: {signal: USR1, before: 5min}\n",
       "5:35: \"warning.before\" must be shorter than the job's limit", false},
      {"  begin: tomorrow\n",
       "4:10: \"begin\": \"tomorrow\" is no time from 1970 to 9999; write for example 2026-12"},
      {"  begin: 2026-12-01T08:00:00\n",
       "4:10: \"begin\": \"2026-12-01T08:00:00\" does not say in which time zone"},
      {"  begin: 2026-02-30T08:00:00Z\n", "4:10: \"begin\": \"2026-02-30T08:00:00Z\" is no time", false},
      {"  priority: 3000000000\n",
       "4:13: \"priority\" must be a whole number from -2147483648 to 2147483647"},
      {"  hold: yes\n", "4:9: \"hold\" must be true or false, not \"yes\""},
      {"  array: 5\n", "4:10: \"array\" must be a text; write \"5\" in quotes"},
      {"  array: 5-1\n", "4:10: \"array\": \"5-1\" ends before it begins", false},
      {"  array: 1-5:0\n", "4:10: \"array\": \"1-5:0\" has a step of 0", false},
      {"  array: 1-5,5\n", "4:10: \"array\": task index 5 stands there twice; keep one", false},
      {"  array: 0-9:3,1-9:4\n", "4:10: \"array\": task index 9 stands there twice; keep one", false},
      {"  array: 0-1000000\n", "4:10: \"array\": the array has more than 1000000 tasks; split it", false},
      {"  array: 1-5%0\n",
       "4:10: \"array\": after % stands how many tasks may run at a time, from 1 to 1000000", false},
      {"  array: 1-x\n", "4:10: \"array\": \"1-x\" is no task index or range; write for example 0-15"},
      {"  array: 2147483648-2147483649\n",
       "4:10: \"array\": \"2147483648-2147483649\" is no task index or range", false},
      {"  depends: afterok:12\n", "4:12: \"depends\" must be a list, not \"afterok:12\""},
      {"  depends: [after-ok:12]\n",
       "4:13: \"depends\": there is no dependency \"after-ok\"; did you mean \"afterok\"?"},
      {"  depends: [afterok]\n",
       "4:13: \"depends\": \"afterok\" is no dependency; write for example afterok:12"},
      {"  depends: [afterok:0]\n",
       "4:13: \"depends\": \"0\" is no job's number; write for example afterok:12", false},
      {"  depends: [afterok:1_2]\n", "4:13: \"depends\": \"1_2\" is no job's number"},
      {"  depends_any: true\n", "4:16: \"depends_any\" needs \"depends\"", false},
      {"  requeue:\n", "4:3: \"requeue\" has no value; write one or leave the key out"},
  };
  return jobs;
}

}  // namespace gw::spec
