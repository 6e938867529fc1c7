// Published measurements as runs of the model: a table's rows read by column, or the reason why one cannot
// be.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "physics/prices.h"
#include "physics/training.h"

namespace gw::physics {

/// A table as it stands in a file: `columns` name the fields of each row.
struct PublishedTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  /// The field of that name, or empty.
  [[nodiscard]] std::string_view field(std::size_t row, std::string_view column) const;
  [[nodiscard]] bool has(std::string_view column) const;
};

/// What the catalog knows, for rows that name more than they say.
struct KnownTypes {
  std::vector<ModelShape> models;
  std::vector<Accelerator> accelerators;
  PriceTable prices = {};
  struct NodePower {
    std::string gpu;
    double watts = 0;  ///< Of a node at full load, per GPU.
  };
  std::vector<NodePower> node_power = {};  ///< Of the first node type with each GPU type.

  /// Of an eight-GPU server where no node type is known: 1.75 times the power of its GPUs (a DGX H100
  /// draws 10.2 kW with eight of 700 W). 0: not known either.
  [[nodiscard]] double node_watts(const Accelerator& gpu) const;
};

struct PublishedTraining {
  std::string id;
  std::string group;
  std::string model;
  std::string gpu_type;
  std::string reason;   ///< Why the model cannot express the row; empty where it can.
  std::string assumed;  ///< What the row does not say and was assumed.
  ModelShape shape;
  Accelerator gpu;
  int stack = 0;
  Layout layout;
  Precision precision = Precision::kBf16;
  double sequence = 0;
  double global_batch = 0;
  double measured_s = 0;
  bool drops_tokens = false;
  bool copies_per_expert = false;  ///< As in TrainingRun.
  bool overlaps_experts = false;
  bool recompute_known = false;  ///< The row says what it recomputes.

  /// Refers to this object.
  [[nodiscard]] TrainingRun run() const;
};

struct PublishedCollective {
  std::string id;
  std::string group;
  std::string fabric_name;
  std::string gpu_type;
  std::string reason;
  Collective collective = Collective::kAllReduce;
  Group members;
  Fabric fabric;
  double bytes = 0;
  double measured_s = 0;
  double least_s = 0;  ///< Of runs of which `measured_s` is the median; 0 where they are not told,
  double most_s = 0;   ///< and the longest of them.
};

/// An Error where the table is not of that kind: it names the columns that are missing.
[[nodiscard]] Result<std::vector<PublishedTraining>> read_published_training(const PublishedTable& table,
                                                                             const KnownTypes& known);
[[nodiscard]] Result<std::vector<PublishedCollective>> read_published_collectives(
    const PublishedTable& table, const KnownTypes& known,
    const FabricConstants& constants = published_fabric_constants());

/// `H100 SXM`, `A100-80GB SXM (Ampere)`, `TPUv5p` and the like in the catalog; nullptr where there is none.
[[nodiscard]] const Accelerator* find_accelerator(const KnownTypes& known, std::string_view published);

/// A number at the beginning of a field, or 0.
[[nodiscard]] double leading_number(std::string_view text);

}  // namespace gw::physics
