// ListStream: jobs that are at hand, as a stream, for tests of what reads streams.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "workload/job_stream.h"

namespace gw::workload {

class ListStream : public JobStream {
 public:
  ListStream() = default;
  explicit ListStream(std::vector<TraceJob> list, TenantTree tree = {})
      : jobs(std::move(list)), tenant_tree(std::move(tree)) {}
  Result<bool> next(TraceJob& job) override {
    if (next_ == jobs.size()) return false;
    job = jobs[next_++];
    return true;
  }
  [[nodiscard]] const TenantTree& tenants() const override { return tenant_tree; }
  [[nodiscard]] const std::vector<std::string>& gpu_types() const override { return types; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  [[nodiscard]] const RowCounts& counts() const override { return counts_; }

  std::vector<TraceJob> jobs;
  TenantTree tenant_tree;
  std::vector<std::string> types;
  std::vector<std::string> class_names{"job"};

 private:
  std::size_t next_ = 0;
  RowCounts counts_;
};

}  // namespace gw::workload
