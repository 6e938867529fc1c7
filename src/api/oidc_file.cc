// Text to record, record to options.
#include "api/oidc_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "spec/catalog.h"
#include "spec/record_reader.h"
#include "spec/yaml_tree.h"

namespace gw::api {
namespace {

live::Role role_of(const std::string& name) {
  return live::role_by_name(name).value_or(live::Role::kViewer);  // Reported already where it is none.
}

class Builder {
 public:
  Builder(OidcRecord&& record, const std::string& path, const spec::YamlNode& node, spec::Findings& findings)
      : record_(std::move(record)),
        folder_(std::filesystem::path(path).parent_path()),
        node_(node),
        findings_(findings) {}

  OidcOptions build() {
    OidcOptions options;
    options.issuer = record_.issuer;
    options.audience = record_.audience;
    options.keys.url = record_.keys_url.value;
    if (!options.keys.url.empty()) {
      if (const Result<void> checked = KeySource::check_url(options.keys.url); !checked)
        findings_.error(record_.keys_url.at, fmt::format("\"keys_url\": {}", checked.error().message));
    }
    options.keys.file = seen_from_here(record_.keys_file);
    options.keys.ca_file = seen_from_here(record_.ca_file);
    options.user_claims = record_.user_claims;
    options.tenant_claim = record_.tenant_claim;
    options.role_claim = record_.role_claim;
    options.groups_claim = record_.groups_claim;
    options.most_role = role_of(record_.role_max);
    options.default_role = role_of(record_.role_default);
    options.leeway_s = record_.leeway.count() / kNanosecondsPerSecond;
    if (options.default_role > options.most_role)
      findings_.error(place_of("role_default"),
                      fmt::format("\"role_default\" is more than \"role_max\", {}", record_.role_max));
    for (const GroupRecord& group : record_.groups) options.groups.push_back(mapping_of(group, options));
    return options;
  }

 private:
  [[nodiscard]] std::string seen_from_here(const std::string& name) const {
    return name.empty() ? name : (folder_ / name).string();
  }

  [[nodiscard]] spec::Mark place_of(std::string_view key) const {
    const spec::YamlNode* node = node_.find(key);
    return node != nullptr ? node->at : node_.at;
  }

  GroupMapping mapping_of(const GroupRecord& group, const OidcOptions& options) {
    GroupMapping mapping;
    mapping.group = group.group;
    mapping.tenant = group.tenant;
    mapping.everywhere = group.everywhere;
    if (!group.role) return mapping;
    mapping.role = role_of(group.role->value);
    if (*mapping.role > options.most_role)
      findings_.error(group.role->at, fmt::format("role {} is more than \"role_max\", {}; raise that, or "
                                                  "give less here",
                                                  group.role->value, record_.role_max));
    return mapping;
  }

  OidcRecord record_;
  std::filesystem::path folder_;
  const spec::YamlNode& node_;
  spec::Findings& findings_;
};

}  // namespace

spec::Checked<OidcOptions> parse_oidc_file(std::string_view text, const std::string& path) {
  spec::Findings findings(path);
  const std::optional<spec::YamlTree> tree = spec::YamlTree::parse(text, findings);
  if (!tree) return std::unexpected(findings.take());
  OidcFile file;
  spec::RecordReader(findings).read_record("OIDC file", tree->root(), file);
  const spec::YamlNode* node = tree->root().find("oidc");
  OidcOptions options =
      Builder(std::move(file.oidc), path, node != nullptr ? *node : tree->root(), findings).build();
  if (findings.failed()) return std::unexpected(findings.take());
  return options;
}

spec::Checked<OidcOptions> read_oidc_file(const std::string& path) {
  const spec::Checked<std::string> text = spec::read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_oidc_file(*text, path);
}

}  // namespace gw::api
