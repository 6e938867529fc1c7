// Bodies of requests: described once for reading, for the OpenAPI document and for the docs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "spec/described.h"

namespace gw::api {

/// Bytes of a text for people: it is kept for good, and shown in lists.
inline constexpr std::size_t kMostWords = 500;

inline constexpr std::string_view kRoles[] = {"viewer", "member", "operator", "admin"};

struct NodeBody {
  static constexpr std::string_view kRecord = "node_change";
  static constexpr std::string_view kHelp = "Drains a node or takes it back into service.";
  bool drained = false;
  std::string reason;
};
template <class Visitor>
void describe(Visitor& visit, NodeBody& body) {
  visit.field("drained", body.drained,
              {.help = "true: what runs there goes on, nothing new starts; false: back in service.",
               .required = true});
  visit.field("reason", body.reason,
              {.help = "For people.",
               .text = spec::Text::kLine,
               .default_text = "none",
               .bytes_max = kMostWords,
               .empty_allowed = true});
}

struct TenantBody {
  static constexpr std::string_view kRecord = "tenant_change";
  static constexpr std::string_view kHelp = "A tenant to make (with its path), or what is to change of one.";
  std::string path;
  std::optional<std::uint32_t> weight;
  std::optional<std::string> kind;
  std::optional<std::string> home;
  std::optional<std::string> unix_user;
  std::optional<std::string> price_plan;
  std::optional<double> gpus;
  std::optional<std::uint32_t> jobs;
};
template <class Visitor>
void describe(Visitor& visit, TenantBody& body) {
  visit.field("path", body.path,
              {.help = "org/project/user; only when it is made.", .default_text = "that of the URL"});
  visit.field("weight", body.weight, {.help = "Fair share relative to its siblings.", .min = 1, .max = 1e6});
  visit.field("kind", body.kind,
              {.help = "For reports; empty: none.", .text = spec::Text::kName, .empty_allowed = true});
  visit.field("home", body.home,
              {.help = "Home jurisdiction, ISO 3166-1 alpha-2; empty: that of the tenant above.",
               .text = spec::Text::kCountry,
               .empty_allowed = true});
  visit.field("unix_user", body.unix_user,
              {.help = "Account that its jobs run under, where the server runs as root; empty: as above it.",
               .text = spec::Text::kName,
               .empty_allowed = true});
  visit.field("price_plan", body.price_plan,
              {.help = "Plan of the price table; empty: as above it.",
               .text = spec::Text::kName,
               .empty_allowed = true});
  visit.field("gpus", body.gpus,
              {.help = "GPUs in use or next in line at a time; 0 = no limit.", .min = 0, .max = 1e9});
  visit.field("jobs", body.jobs,
              {.help = "Jobs in the system at a time; 0 = no limit.", .min = 0, .max = 4e9});
}

struct TokenBody {
  static constexpr std::string_view kRecord = "token_request";
  static constexpr std::string_view kHelp = "A token to make.";
  std::string tenant;
  std::string role = "member";
  std::string user;
  std::string label;
  Nanoseconds expires_in;
};
template <class Visitor>
void describe(Visitor& visit, TokenBody& body) {
  visit.field(
      "tenant", body.tenant,
      {.help = "Its rights end at this tenant and what is below.", .default_text = "the caller's own"});
  visit.field("role", body.role, {.help = "What it may do.", .choices = kRoles});
  visit.field("user", body.user, {.help = "Who acts by it.", .required = true, .text = spec::Text::kName});
  visit.field("label", body.label,
              {.help = "What it is for.",
               .text = spec::Text::kLine,
               .default_text = "none",
               .bytes_max = kMostWords,
               .empty_allowed = true});
  visit.field("expires_in", body.expires_in,
              {.help = "For so long.", .min = 1e9, .max = 3.2e18, .default_text = "for ever"});
}

}  // namespace gw::api
