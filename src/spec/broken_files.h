// Files with one mistake each: the reader must say what is wrong and where, and the schema must refuse those
// that do not depend on other files, sums or sizes.
#pragma once

#include <string>
#include <vector>

namespace gw::spec {

struct BrokenFile {
  const char* name;
  std::string text;
  const char* finding;  ///< The reader's first line, without the file's name.
  bool schema_knows = true;
};

/// `gigawerk: 1` and a small fleet in lines 1 and 2; `rest` begins in line 3.
inline std::string small_fleet(const std::string& rest) {
  return "gigawerk: 1\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200, count: 4}}]}\n" + rest;
}

inline const std::vector<BrokenFile>& broken_files() {
  static const std::vector<BrokenFile> files = {
      {"no version", "fleet: {sites: [{name: lab, nodes: {type: dgx-b200}}]}\n",
       "1:1: \"scenario\" lacks the key \"gigawerk\""},
      {"no fleet", "gigawerk: 1\n", "1:1: \"scenario\" lacks the key \"fleet\""},
      {"newer version", "gigawerk: 2\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200}}]}\n",
       "1:11: \"gigawerk\" must be a whole number from 1 to 1, not \"2\""},
      {"unknown key", small_fleet("tenant: []\n"), "3:1: unknown key \"tenant\"; did you mean \"tenants\"?"},
      {"unknown key inside",
       "gigawerk: 1\nfleet:\n  sites:\n    - name: lab\n      racsk: {nodes: {type: dgx-b200}}\n",
       "4:7: \"sites\" needs one of: halls, rows, racks, nodes"},
      {"a list", "- 1\n", "1:1: \"scenario\" must be a mapping"},
      {"text for a mapping", small_fleet("workload: long\n"),
       "3:11: \"workload\" must be a mapping with the keys duration"},
      {"power without unit",
       "gigawerk: 1\nfleet: {sites: [{name: lab, grid: {capacity: 15}, nodes: {type: dgx-b200}}]}\n",
       "2:46: \"capacity\" must be an amount with its unit, not \"15\"; write for example 700 W, 14.3 kW or "
       "15 MW"},
      {"wrong unit",
       "gigawerk: 1\nfleet: {sites: [{name: lab, grid: {capacity: 15 MWh}, nodes: {type: dgx-b200}}]}\n",
       "2:46: \"capacity\" must be an amount with its unit, not \"15 MWh\""},
      {"time without unit", small_fleet("workload: {duration: 28}\n"),
       "3:22: \"duration\" must be an amount with its unit"},
      {"number in quotes", small_fleet("seed: \"1\"\n"), "3:7: \"seed\" must be a whole number"},
      {"fraction for a count",
       "gigawerk: 1\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200, count: 1.5}}]}\n",
       "2:60: \"count\" must be a whole number from 1 to 20000000, not \"1.5\""},
      {"count of zero", "gigawerk: 1\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200, count: 0}}]}\n",
       "2:60: \"count\" must be a whole number"},
      {"PUE below 1", "gigawerk: 1\nfleet: {sites: [{name: lab, pue: 0.9, nodes: {type: dgx-b200}}]}\n",
       "2:34: \"pue\" must be a number from 1 to 5, not \"0.9\""},
      {"country in words",
       "gigawerk: 1\nfleet: {sites: [{name: lab, country: Germany, nodes: {type: dgx-b200}}]}\n",
       "2:38: \"country\" must be a country's two capital letters"},
      {"name with a slash", "gigawerk: 1\nfleet: {sites: [{name: lab/1, nodes: {type: dgx-b200}}]}\n",
       "2:24: \"name\" must be a name of letters"},
      {"number for a name", "gigawerk: 1\nfleet: {sites: [{name: 12, nodes: {type: dgx-b200}}]}\n",
       "2:24: \"name\" must be a text; write \"12\" in quotes"},
      {"two contents",
       "gigawerk: 1\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200}, racks: {nodes: {type: "
       "dgx-b200}}}]}\n",
       "2:54: \"nodes\" and \"racks\" exclude each other; keep one"},
      {"no sites", "gigawerk: 1\nfleet: {sites: []}\n", "2:16: \"sites\" must have at least 1 item, not 0"},
      {"nothing after a key", small_fleet("tenants:\n"),
       "3:1: \"tenants\" has no value; write one or leave the key out"},
      {"latitude",
       "gigawerk: 1\nfleet: {sites: [{name: lab, position: {latitude: 91, longitude: 0}, nodes: {type: "
       "dgx-b200}}]}\n",
       "2:50: \"latitude\" must be a number from -90 to 90"},
      {"unknown policy", small_fleet("policy: fairshare-esay\n"),
       "3:9: \"name\" cannot be \"fairshare-esay\"; did you mean \"fairshare-easy\"?"},
      {"unknown order", small_fleet("policy: {order: lifo}\n"),
       "3:17: \"order\" cannot be \"lifo\"; did you mean \"fifo\"?"},
      {"quota beyond the fleet",
       small_fleet(
           "tenants:\n  - {name: a, quota: [{guaranteed: 20}]}\n  - {name: b, quota: [{guaranteed: 13}]}\n"),
       "5:23: with this, 33 GPU-equivalents are guaranteed, but the fleet has 32; guarantee less", false},
      {"quota beyond the parent's",
       small_fleet(
           "tenants:\n  - {name: a, quota: [{guaranteed: 8}], projects: [{name: b, quota: [{guaranteed: "
           "9}]}]}\n"),
       "4:70: with this, 9 GPU-equivalents are guaranteed inside \"a\", which has 8; guarantee less here or "
       "more "
       "there",
       false},
      {"quota of an unknown type", small_fleet("tenants: [{name: a, quota: [{of: b100, limit: 8}]}]\n"),
       "3:34: the fleet has no GPU type \"b100\"; did you mean \"b200\"?", false},
      {"limit below the guarantee", small_fleet("tenants: [{name: a, quota: [{guaranteed: 8, limit: 4}]}]\n"),
       "3:29: `limit` is 4 GPUs and `guaranteed` 8; raise the limit or guarantee less", false},
      {"lends more than it has", small_fleet("tenants: [{name: a, quota: [{guaranteed: 8, lend: 9}]}]\n"),
       "3:29: `lend` is 9 GPUs, but only 8 are guaranteed; lend no more", false},
      {"unknown preemption", small_fleet("policy: {preemption: always}\n"),
       "3:22: \"preemption\" cannot be \"always\""},
      {"unknown weekday", small_fleet("workload: {start: {weekday: Monday}}\n"),
       "3:29: \"weekday\" cannot be \"Monday\"; did you mean \"monday\"?"},
      {"weight of zero", small_fleet("tenants: [{name: a, weight: 0}]\n"),
       "3:29: \"weight\" must be a whole number from 1"},
      {"negative load", small_fleet("tenants: [{name: a, load: -1, classes: {train: 1}}]\n"),
       "3:27: \"load\" must be a number from 0 to 100, not \"-1\""},
      {"negative share", small_fleet("tenants: [{name: a, load: 1, classes: {train: -1}}]\n"),
       "3:47: the share of \"train\" must be a number from 0"},
      {"class without durations", small_fleet("classes: [{name: new, sizes: {1: 1}}]\n"),
       "3:11: class \"new\" has no durations; give it some, or `work`", false},
      {"work of a model that nobody knows",
       small_fleet("classes: [{name: new, sizes: {1: 1}, work: {model: llama-3-8, steps: 1}}]\n"),
       "3:52: unknown model \"llama-3-8\" of class \"new\"; did you mean \"llama-3-8b\"?", false},
      {"work of an unknown kind",
       small_fleet("classes: [{name: new, sizes: {1: 1}, work: {kind: cfs, model: llama-3-8b, steps: 1}}]\n"),
       "3:51: \"kind\" cannot be \"cfs\"; did you mean \"cfd\"?"},
      {"short rhythm", small_fleet("rhythms: [{name: even, weekday: [1, 2, 3]}]\n"),
       "3:33: \"weekday\" must have 7 items, not 3"},
      {"half a size", small_fleet("classes: [{name: train, sizes: {half: 1}}]\n"),
       "3:33: size \"half\" must be a number of GPUs", false},
      {"unknown node type", "gigawerk: 1\nfleet: {sites: [{name: lab, nodes: {type: dgx-b20}}]}\n",
       "2:43: unknown node type \"dgx-b20\"; did you mean \"dgx-b200\"?", false},
      {"unknown GPU type",
       "gigawerk: 1\nfleet:\n  node_types: [{name: x, gpu: b2000, gpus: 1}]\n  sites: {name: lab, nodes: "
       "{type: x}}\n",
       "3:31: unknown GPU type \"b2000\"; did you mean \"b200\"?", false},
      {"unknown class", small_fleet("tenants: [{name: a, load: 1, classes: {trian: 1}}]\n"),
       "3:40: unknown job class \"trian\"; did you mean \"train\"?", false},
      {"unknown rhythm", small_fleet("classes: [{name: train, rhythm: evne}]\n"),
       "3:33: unknown rhythm \"evne\" of class \"train\"; did you mean \"even\"?", false},
      {"load without classes", small_fleet("tenants: [{name: a, load: 0.5}]\n"),
       "3:11: tenant \"a\" has a load but no classes; write for example `classes: {train: 1}`", false},
      {"loads that do not add up",
       small_fleet(
           "tenants: [{name: a, load: 0.5, classes: {train: 1}, projects: [{name: b, load: 0.6}]}]\n"),
       "3:64: the loads of these projects add up to 0.6, their parent's is 0.5", false},
      {"the same tenant twice", small_fleet("tenants:\n  - {name: a}\n  - {name: a}\n"),
       "5:5: tenant \"a\" stands here a second time; rename one", false},
      {"the same site twice",
       "gigawerk: 1\nfleet:\n  sites:\n    - {name: a, nodes: {type: dgx-b200}}\n    - {name: a, nodes: "
       "{type: dgx-b200}}\n",
       "5:7: site \"a\" stands here a second time, first in line 4; rename one", false},
      {"built-in level",
       "gigawerk: 1\nfleet: {fabric: [{level: site, nodes: 1}], sites: [{name: lab, nodes: {type: "
       "dgx-b200}}]}\n",
       "2:18: level \"site\" is built in; leave it out", false},
      {"level of no racks",
       "gigawerk: 1\nfleet: {fabric: [{level: leaf, racks: 1}], sites: [{name: lab, nodes: {type: "
       "dgx-b200}}]}\n",
       "2:18: the fleet has no racks for \"leaf\" to count; write `nodes: ...`", false},
      {"too many nodes",
       "gigawerk: 1\nfleet: {sites: [{name: lab, racks: {count: 20000000, nodes: {type: dgx-b200, count: "
       "20000000}}}]}\n",
       "2:8: the fleet has 400000000000000 nodes; at most 20000000 can be planned", false},
      {"too many tenants", small_fleet("tenants: [{name: a, count: 1000000}]\n"),
       "3:11: more than 100000 tenants; lower a `count`", false},
      {"nothing to scale", small_fleet("workload: {load: 1}\n"), "3:11: `load` has nothing to scale", false},
      {"duplicate key",
       "gigawerk: 1\nname: a\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200}}]}\nname: b\n",
       "4:1: key \"name\" stands here a second time, first in line 2; keep one", false},
  };
  return files;
}

}  // namespace gw::spec
