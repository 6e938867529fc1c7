// Entries of the catalog as physics sees them. Templates, so that this layer need not stand on the catalog's.
#pragma once

#include "physics/accelerator.h"
#include "physics/model_shape.h"
#include "physics/prices.h"
#include "physics/published.h"

namespace gw::physics {

/// `entry`: a spec::ModelEntry.
template <class ModelEntry>
ModelShape shape_of(const ModelEntry& entry) {
  ModelShape shape;
  shape.name = entry.name;
  shape.layers = entry.layers;
  shape.hidden = entry.hidden;
  shape.heads = entry.heads;
  shape.kv_heads = entry.kv_heads.value_or(entry.heads);
  shape.head_size = entry.head_size.value_or(entry.heads > 0 ? entry.hidden / entry.heads : 0);
  shape.ffn = entry.ffn;
  shape.vocabulary = entry.vocabulary;
  shape.gated = entry.gated;
  shape.tied_embeddings = entry.tied_embeddings;
  shape.normed_heads = entry.query_key_norms;
  shape.window = entry.window;
  shape.windowed_layers = entry.windowed_layers;
  // Every second layer looks back 128 tokens only (arXiv:2508.10925, section 2.2); for sequences of a few
  // thousand tokens that leaves about half of the scores.
  if (shape.name.starts_with("gpt-oss")) shape.attention_share = 0.52;
  if (entry.experts) {
    shape.experts = {.count = entry.experts->count,
                     .active = entry.experts->active,
                     .shared = entry.experts->shared,
                     .ffn = entry.experts->ffn,
                     .dense_layers = entry.experts->dense_layers};
  }
  if (entry.latent_attention) {
    shape.latent = {.query_rank = entry.latent_attention->query_rank,
                    .key_value_rank = entry.latent_attention->key_value_rank,
                    .head_plain = entry.latent_attention->head_plain,
                    .head_rotary = entry.latent_attention->head_rotary,
                    .head_value = entry.latent_attention->head_value};
  }
  return shape;
}

/// `entry`: a spec::GpuEntry.
template <class GpuEntry>
Accelerator accelerator_from(const GpuEntry& entry) {
  Accelerator gpu =
      accelerator_of(entry.type, entry.network_gbit_s, entry.measured_bf16_tflops, entry.measured_fp8_tflops);
  // Rack-scale systems: NVL72 and its successors, Helios. A superchip in a server of its own is not.
  gpu.liquid_cooled = entry.form == "rack" || (entry.form == "superchip" && gpu.scaleup_domain > 8);
  return gpu;
}

/// `entry`: a spec::PriceEntry, whose item and unit its reader has checked.
template <class PriceEntry>
Price price_of(const PriceEntry& entry) {
  Price price;
  for (int i = 0; i < kPriceItems; ++i) {
    if (price_item_name(static_cast<PriceItem>(i)) == entry.item) price.item = static_cast<PriceItem>(i);
  }
  price.gpu = entry.gpu.value;
  price.value = entry.value;
  price.low = entry.low.value_or(entry.value * (entry.value < 0 ? 1.25 : 0.75));
  price.high = entry.high.value_or(entry.value * (entry.value < 0 ? 0.75 : 1.25));
  price.dollars = price.item != PriceItem::kExchange && entry.unit.starts_with("USD");
  price.year = 1970 + entry.day / 365.25;
  price.yearly = entry.yearly;
  price.life_years = entry.life;
  price.depreciation =
      entry.depreciation == "declining" ? Depreciation::kDeclining : Depreciation::kStraightLine;
  return price;
}

/// `catalog`: a spec::Catalog, whole.
template <class Catalog>
KnownTypes known_types_of(const Catalog& catalog) {
  KnownTypes known;
  for (const auto& model : catalog.models) known.models.push_back(shape_of(model));
  for (const auto& gpu : catalog.gpus) known.accelerators.push_back(accelerator_from(gpu));
  for (const auto& node : catalog.nodes) {
    if (node.gpus > 0 && node.power_max.count() > 0)
      known.node_power.push_back(
          {node.gpu.value, static_cast<double>(node.power_max.count()) * 1e-3 / node.gpus});
  }
  std::vector<Price> prices;
  for (const auto& price : catalog.prices) prices.push_back(price_of(price));
  known.prices = PriceTable(std::move(prices));
  return known;
}

}  // namespace gw::physics
