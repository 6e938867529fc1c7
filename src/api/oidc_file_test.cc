// The file of --oidc: what it means, what is wrong with it and where, and that the docs know every key.
#include "api/oidc_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace gw::api {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kWhole = R"(gigawerk: 1
oidc:
  issuer: https://login.test/realm
  audience: gigawerk
  keys_url: https://login.test/keys
  ca_file: ca.pem
  user_claims: [upn, sub]
  tenant_claim: t
  role_claim: r
  groups_claim: g
  role_default: member
  role_max: admin
  leeway: 5s
  groups:
    - {group: ops, everywhere: true, role: admin}
    - {group: /ai/vision, tenant: acme/vision}
)";

TEST(OidcFile, SaysEverything) {
  const spec::Checked<OidcOptions> options = parse_oidc_file(kWhole, "conf/oidc.yaml");
  ASSERT_TRUE(options) << spec::diagnostics_text(options.error());
  EXPECT_EQ(options->issuer, "https://login.test/realm");
  EXPECT_EQ(options->audience, "gigawerk");
  EXPECT_EQ(options->keys.url, "https://login.test/keys");
  EXPECT_EQ(options->keys.ca_file, "conf/ca.pem");
  EXPECT_EQ(options->user_claims, (std::vector<std::string>{"upn", "sub"}));
  EXPECT_EQ(options->tenant_claim + options->role_claim + options->groups_claim, "trg");
  EXPECT_EQ(options->default_role, live::Role::kMember);
  EXPECT_EQ(options->most_role, live::Role::kAdmin);
  EXPECT_EQ(options->leeway_s, 5);
  ASSERT_EQ(options->groups.size(), 2U);
  EXPECT_TRUE(options->groups[0].everywhere);
  EXPECT_EQ(options->groups[0].role, live::Role::kAdmin);
  EXPECT_EQ(options->groups[1].tenant, "acme/vision");
  EXPECT_FALSE(options->groups[1].role);
}

TEST(OidcFile, Defaults) {
  const spec::Checked<OidcOptions> options = parse_oidc_file(
      "gigawerk: 1\noidc: {issuer: i, audience: a, keys_file: /etc/keys.json}\n", "/etc/gw/oidc.yaml");
  ASSERT_TRUE(options) << spec::diagnostics_text(options.error());
  EXPECT_EQ(options->keys.file, "/etc/keys.json");
  EXPECT_EQ(options->keys.ca_file, "");
  EXPECT_EQ(options->user_claims, OidcOptions{}.user_claims);
  EXPECT_EQ(options->tenant_claim, "gigawerk_tenant");
  EXPECT_EQ(options->most_role, live::Role::kOperator);
  EXPECT_EQ(options->default_role, live::Role::kViewer);
  EXPECT_EQ(options->leeway_s, 60);
}

TEST(OidcFile, MistakesHaveTheirPlace) {
  const std::string head = "gigawerk: 1\noidc:\n  issuer: i\n  audience: a\n  keys_file: k\n";
  const std::pair<std::string, const char*> mistakes[] = {
      {head + "  issuers: x\n", "oidc.yaml:6:3: unknown key \"issuers\"; did you mean \"issuer\"?"},
      {head + "  role_max: root\n", "oidc.yaml:6:13: \"role_max\" cannot be \"root\""},
      {head + "  role_default: admin\n",
       "oidc.yaml:6:17: \"role_default\" is more than \"role_max\", operator"},
      {head + "  groups: [{group: g, role: admin}]\n",
       "oidc.yaml:6:29: role admin is more than \"role_max\", operator"},
      {head + "  groups: [{group: g, tenant: t, everywhere: true}]\n",
       "oidc.yaml:6:34: \"tenant\" and \"everywhere\" exclude each other"},
      {head + "  groups: [{group: g, tenant: /t}]\n", "oidc.yaml:6:31: \"tenant\" must be a tenant's path"},
      {head + "  groups: [{tenant: t}]\n", "oidc.yaml:6:12: \"groups\" lacks the key \"group\""},
      {head + "  keys_url: https://l/k\n",
       "oidc.yaml:6:3: \"keys_file\" and \"keys_url\" exclude each other"},
      {head + "  leeway: 1h\n",
       "oidc.yaml:6:11: \"leeway\" is out of range: 1h; it must be from 0s to 10min"},
      {head + "  user_claims: []\n", "oidc.yaml:6:16: \"user_claims\""},
      {head + "  issuer: j\n", "oidc.yaml:6:3: key \"issuer\" stands here a second time"},
      {"gigawerk: 1\noidc: {issuer: i, audience: a}\n", "oidc.yaml:2:7: "},
      {"gigawerk: 1\noidc: {issuer: i, audience: a, keys_url: 'http://login.test/k'}\n",
       "oidc.yaml:2:42: \"keys_url\": keys from 'http://login.test/k' could be anybody's: use https"},
      {"gigawerk: 1\noidc: {issuer: i, audience: a, keys_url: k}\n",
       "oidc.yaml:2:42: \"keys_url\": 'k' is no URL of keys"},
      {"gigawerk: 2\noidc: {issuer: i, audience: a, keys_file: k}\n", "oidc.yaml:1:11: \"gigawerk\" must be"},
      {"gigawerk: 1\n", "oidc.yaml:1:1: \"OIDC file\" lacks the key \"oidc\""},
      {"", "oidc.yaml"},
  };
  for (const auto& [text, finding] : mistakes) {
    const spec::Checked<OidcOptions> options = parse_oidc_file(text, "oidc.yaml");
    ASSERT_FALSE(options) << text;
    EXPECT_THAT(spec::diagnostics_text(options.error()), StartsWith(finding)) << text;
  }
  EXPECT_FALSE(read_oidc_file("/nonexistent/oidc.yaml"));
}

std::string security_page() {
  std::ifstream file(std::string(GW_SOURCE_DIR) + "/docs/security.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Names every key of a record.
struct KeyNames {
  std::vector<std::string> names;
  template <class T>
  void field(std::string_view name, T& /*member*/, const spec::Rule& /*rule*/) {
    names.emplace_back(name);
  }
  void exactly_one(std::initializer_list<std::string_view> /*names*/) {}
  void at_most_one(std::initializer_list<std::string_view> /*names*/) {}
};

TEST(OidcFile, TheDocsKnowEveryKey) {
  KeyNames keys;
  OidcRecord oidc;
  GroupRecord group;
  describe(keys, oidc);
  describe(keys, group);
  const std::string page = security_page();
  for (const std::string& name : keys.names) EXPECT_THAT(page, HasSubstr("| `" + name + "` |"));
}

TEST(OidcFile, TheDocsExampleIsOne) {
  const std::string page = security_page();
  const std::size_t begin = page.find("```yaml\ngigawerk: 1\noidc:");
  ASSERT_NE(begin, std::string::npos);
  const std::string example = page.substr(begin + 8, page.find("```", begin + 8) - begin - 8);
  const spec::Checked<OidcOptions> options = parse_oidc_file(example, "example");
  ASSERT_TRUE(options) << spec::diagnostics_text(options.error());
  EXPECT_FALSE(options->groups.empty());
}

}  // namespace
}  // namespace gw::api
