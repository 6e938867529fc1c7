// The file of `gw serve --oidc`: whose tokens are believed, and what their claims mean here.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/bodies.h"
#include "api/oidc.h"
#include "spec/described.h"
#include "spec/diagnostic.h"

namespace gw::api {

struct GroupRecord {
  static constexpr std::string_view kRecord = "group";
  static constexpr std::string_view kHelp = "What the members of a group of the issuer's are here.";
  std::string group;
  std::string tenant;
  bool everywhere = false;
  std::optional<spec::Located<std::string>> role;
};
template <class Visitor>
void describe(Visitor& visit, GroupRecord& group) {
  visit.field("group", group.group,
              {.help = "Its name in the token, letter by letter.",
               .required = true,
               .text = spec::Text::kLine,
               .bytes_max = 500,
               .example = "/ai/vision"});
  visit.field("tenant", group.tenant,
              {.help = "Path of the tenant that its members act in.",
               .text = spec::Text::kTenantPath,
               .default_text = "not said"});
  visit.field("everywhere", group.everywhere, {.help = "They act in the whole factory instead."});
  visit.field("role", group.role,
              {.help = "What they may do there; without a tenant: wherever they act.",
               .choices = kRoles,
               .default_text = "not said"});
  visit.at_most_one({"tenant", "everywhere"});
}

struct OidcRecord {
  static constexpr std::string_view kRecord = "oidc";
  static constexpr std::string_view kHelp = "An OpenID Connect issuer whose tokens are believed.";
  std::string issuer;
  std::string audience;
  spec::Located<std::string> keys_url;
  std::string keys_file;
  std::string ca_file;
  std::vector<std::string> user_claims = OidcOptions{}.user_claims;
  std::string tenant_claim = OidcOptions{}.tenant_claim;
  std::string role_claim = OidcOptions{}.role_claim;
  std::string groups_claim = OidcOptions{}.groups_claim;
  std::vector<GroupRecord> groups;
  std::string role_default{live::name_of(OidcOptions{}.default_role)};
  std::string role_max{live::name_of(OidcOptions{}.most_role)};
  Nanoseconds leeway = seconds(60);
};
template <class Visitor>
void describe(Visitor& visit, OidcRecord& oidc) {
  constexpr std::size_t kLongest = 500;
  visit.field("issuer", oidc.issuer,
              {.help = "The tokens' `iss`, letter by letter.",
               .required = true,
               .text = spec::Text::kLine,
               .bytes_max = kLongest,
               .example = "https://login.example.org/realms/factory"});
  visit.field("audience", oidc.audience,
              {.help = "The tokens' `aud`, or one of its list.",
               .required = true,
               .text = spec::Text::kLine,
               .bytes_max = kLongest,
               .example = "gigawerk"});
  visit.field(
      "keys_url", oidc.keys_url,
      {.help = "Where the issuer's JWK Set is fetched from, the `jwks_uri` of its discovery document: "
               "https, or http of this machine.",
       .text = spec::Text::kLine,
       .bytes_max = 2000,
       .example = "https://login.example.org/realms/factory/protocol/openid-connect/certs"});
  visit.field("keys_file", oidc.keys_file,
              {.help = "File with its JWK Set instead, seen from this file's folder.",
               .text = spec::Text::kLine,
               .bytes_max = 4000});
  visit.exactly_one({"keys_url", "keys_file"});
  visit.field("ca_file", oidc.ca_file,
              {.help = "Certificates to trust for `keys_url`, as PEM, seen from this file's folder.",
               .text = spec::Text::kLine,
               .default_text = "the system's",
               .bytes_max = 4000});
  visit.field("user_claims", oidc.user_claims,
              {.help = "Claims that may hold the user's name; the first that is there does.",
               .text = spec::Text::kLine,
               .items_min = 1,
               .items_max = 16,
               .default_text = "preferred_username, email, sub",
               .bytes_max = kLongest});
  visit.field("tenant_claim", oidc.tenant_claim,
              {.help = "Claim with the path of the user's tenant.",
               .text = spec::Text::kLine,
               .bytes_max = kLongest});
  visit.field("role_claim", oidc.role_claim,
              {.help = "Claim with the user's role.", .text = spec::Text::kLine, .bytes_max = kLongest});
  visit.field("groups_claim", oidc.groups_claim,
              {.help = "Claim with the names of the user's groups.",
               .text = spec::Text::kLine,
               .bytes_max = kLongest});
  visit.field("groups", oidc.groups,
              {.help = "Where there is no such claim, the first of these that the user is a member of and "
                       "that says a tenant (or a role) decides.",
               .items_max = 10'000,
               .default_text = "none"});
  visit.field("role_default", oidc.role_default,
              {.help = "Role of those for whom nothing says one.", .choices = kRoles});
  visit.field("role_max", oidc.role_max, {.help = "No token gives more than this role.", .choices = kRoles});
  visit.field("leeway", oidc.leeway,
              {.help = "By how much the issuer's clock and ours may differ.", .min = 0, .max = 600e9});
}

struct OidcFile {
  static constexpr std::string_view kRecord = "oidc_file";
  static constexpr std::string_view kHelp = "Whose tokens a server believes.";
  std::uint32_t gigawerk = 1;
  OidcRecord oidc;
};
template <class Visitor>
void describe(Visitor& visit, OidcFile& file) {
  visit.field("gigawerk", file.gigawerk,
              {.help = "Version of this format: 1.", .required = true, .min = 1, .max = 1});
  visit.field("oidc", file.oidc, {.help = "The issuer.", .required = true});
}

/// Reads and checks the file at `path`; on failure all errors, in the order of the text. Files that it names
/// are not opened.
[[nodiscard]] spec::Checked<OidcOptions> read_oidc_file(const std::string& path);
/// The same, from memory; `path` stands in messages and says where its relative names begin.
[[nodiscard]] spec::Checked<OidcOptions> parse_oidc_file(std::string_view text, const std::string& path);

}  // namespace gw::api
