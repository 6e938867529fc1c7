// Which tokens are believed, which are not, and what they make of their bearers.
#include "api/oidc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/test_keys.h"

namespace gw::api {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr const char* kSilent = "the token is not valid: unknown, expired or revoked";

/// Keys are slow to make: one of each for all tests.
const SigningKey& rsa_key() {
  static const SigningKey key = SigningKey::rsa("rsa-1");
  return key;
}
const SigningKey& ec_key() {
  static const SigningKey key = SigningKey::p256("ec-1");
  return key;
}
const SigningKey& ec384_key() {
  static const SigningKey key = SigningKey::p384("ec-384");
  return key;
}
const SigningKey& ed_key() {
  static const SigningKey key = SigningKey::ed25519("ed-1");
  return key;
}

const KeySet& keys() {
  static const KeySet set =
      KeySet::parse(jwk_set({rsa_key().jwk(), ec_key().jwk(), ec384_key().jwk(), ed_key().jwk()})).value();
  return set;
}

OidcOptions options() {
  OidcOptions options;
  options.issuer = "https://login.test/realm";
  options.audience = "gigawerk";
  return options;
}

TestJson claims() {
  return {{"iss", "https://login.test/realm"},
          {"aud", "gigawerk"},
          {"sub", "3f0c"},
          {"exp", kNow + 300},
          {"iat", kNow - 10},
          {"preferred_username", "ada"},
          {"gigawerk_tenant", "acme/vision"}};
}

TestJson claims_with(const TestJson& other) {
  TestJson all = claims();
  for (const auto& [key, value] : other.items()) {
    if (value.is_null()) {
      all.erase(key);
    } else {
      all[key] = value;
    }
  }
  return all;
}

std::expected<Bearer, live::Refusal> read(const std::string& token, const OidcOptions& with = options(),
                                          std::int64_t now = kNow) {
  return read_bearer(token, keys(), with, now);
}

std::expected<Bearer, live::Refusal> read(const TestJson& token_claims, const OidcOptions& with = options(),
                                          std::int64_t now = kNow) {
  return read(ec_key().token(JwsAlgorithm::kEs256, token_claims), with, now);
}

void expect_silence(const std::string& token) {
  const std::expected<Bearer, live::Refusal> bearer = read(token);
  ASSERT_FALSE(bearer) << token;
  EXPECT_EQ(bearer.error().status, 401U);
  EXPECT_EQ(bearer.error().message, kSilent) << token;
}

void expect_refusal(const TestJson& other, const std::string& why) {
  const std::expected<Bearer, live::Refusal> bearer = read(claims_with(other));
  ASSERT_FALSE(bearer) << other;
  EXPECT_EQ(bearer.error().status, 401U);
  EXPECT_THAT(bearer.error().message, HasSubstr(why)) << other;
}

TEST(Oidc, EveryAlgorithmWithItsKey) {
  for (const JwsAlgorithm algorithm :
       {JwsAlgorithm::kRs256, JwsAlgorithm::kRs384, JwsAlgorithm::kRs512, JwsAlgorithm::kPs256}) {
    const auto bearer = read(rsa_key().token(algorithm, claims()));
    ASSERT_TRUE(bearer) << name_of(algorithm);
    EXPECT_EQ(bearer->user, "ada");
    EXPECT_EQ(bearer->subject, "3f0c");
    EXPECT_EQ(bearer->tenant, "acme/vision");
    EXPECT_EQ(bearer->role, live::Role::kViewer);
    EXPECT_EQ(bearer->until_unix_s, kNow + 360);
  }
  EXPECT_TRUE(read(ec_key().token(JwsAlgorithm::kEs256, claims())));
  EXPECT_TRUE(read(ec384_key().token(JwsAlgorithm::kEs384, claims())));
  EXPECT_TRUE(read(ed_key().token(JwsAlgorithm::kEdDsa, claims())));
}

/// A header that names what another key would take.
TEST(Oidc, AKeyTakesNoOtherAlgorithm) {
  const std::string payload = claims().dump();
  const std::pair<const SigningKey*, JwsAlgorithm> signers[] = {{&rsa_key(), JwsAlgorithm::kRs256},
                                                                {&ec_key(), JwsAlgorithm::kEs256},
                                                                {&ec384_key(), JwsAlgorithm::kEs384},
                                                                {&ed_key(), JwsAlgorithm::kEdDsa}};
  for (const auto& [signer, true_algorithm] : signers) {
    for (const char* named : {"RS256", "RS384", "RS512",  "PS256", "ES256", "ES384",    "EdDSA",
                              "ES512", "PS384", "ES256K", "none",  "None",  "NONE",     "",
                              "HS256", "HS384", "HS512",  "RS1",   "rs256", "RSA-OAEP", "dir"}) {
      if (named == name_of(true_algorithm)) continue;
      const TestJson header{{"alg", named}, {"kid", signer->id()}};
      expect_silence(signer->token_of_texts(true_algorithm, header.dump(), payload));
    }
  }
}

TEST(Oidc, AKeySaysWhichAlgorithmItIsFor) {
  const KeySet set = KeySet::parse(jwk_set({rsa_key().jwk({{"alg", "PS256"}})})).value();
  EXPECT_FALSE(read_bearer(rsa_key().token(JwsAlgorithm::kRs256, claims()), set, options(), kNow));
  EXPECT_TRUE(read_bearer(rsa_key().token(JwsAlgorithm::kPs256, claims()), set, options(), kNow));
}

TEST(Oidc, SharedSecretsAreNone) {
  // The classic: the public key, in each form that somebody may have it, as the secret of an HMAC.
  for (const std::string& secret :
       {rsa_key().pem(), rsa_key().jwk().dump(), rsa_key().jwk()["n"].get<std::string>(), std::string(),
        std::string("secret")}) {
    for (const char* algorithm : {"HS256", "HS384", "HS512", "RS256", "ES256"}) {
      expect_silence(hmac_token(claims(), "rsa-1", secret, algorithm));
      expect_silence(hmac_token(claims(), "ec-1", secret, algorithm));
    }
  }
  // Also where the issuer publishes a secret, which it should not.
  const KeySet set =
      KeySet::parse(jwk_set({ec_key().jwk(), {{"kty", "oct"}, {"k", base64url("secret")}, {"kid", "s"}}}))
          .value();
  EXPECT_EQ(set.size(), 1U);
  EXPECT_FALSE(read_bearer(hmac_token(claims(), "s", "secret"), set, options(), kNow));
}

TEST(Oidc, Unsigned) {
  const std::string payload = base64url(claims().dump());
  for (const char* algorithm : {"none", "None", "NONE", "nOnE", "RS256", "ES256", "EdDSA"}) {
    for (const char* key_id : {"rsa-1", "ec-1", "ed-1"}) {
      const std::string header = base64url(TestJson{{"alg", algorithm}, {"kid", key_id}}.dump());
      expect_silence(header + '.' + payload + '.');
      expect_silence(header + '.' + payload + ".AA");
    }
  }
}

/// CVE-2022-21449: numbers of zero that fit every text where they are not looked at.
TEST(Oidc, SignaturesOfZero) {
  const std::string token = ec_key().token(JwsAlgorithm::kEs256, claims());
  const std::string signed_part = token.substr(0, token.rfind('.'));
  for (const std::string& signature :
       {std::string(64, '\0'), std::string(64, '\xff'), std::string(63, '\0'), std::string(65, '\0'),
        std::string(31, '\0') + "\x01" + std::string(31, '\0') + "\x01", std::string(1, '\0')})
    expect_silence(signed_part + '.' + base64url(signature));
  // DER, as OpenSSL itself would have it, is no JWS signature.
  const std::string raw = ec_key().sign(JwsAlgorithm::kEs256, signed_part);
  std::string der = "\x30\x46\x02\x21";
  der += '\0' + raw.substr(0, 32) + "\x02\x21" + '\0' + raw.substr(32);
  expect_silence(signed_part + '.' + base64url(der));
}

TEST(Oidc, SaltOfThePssSignature) {
  const TestJson header{{"alg", "PS256"}, {"kid", "rsa-1"}};
  const std::string text = base64url(header.dump()) + '.' + base64url(claims().dump());
  EXPECT_TRUE(read(text + '.' + base64url(rsa_key().sign(JwsAlgorithm::kPs256, text))));
  expect_silence(text + '.' + base64url(rsa_key().sign(JwsAlgorithm::kPs256, text, 8)));
}

TEST(Oidc, NothingOfATokenCanBeChanged) {
  const std::string token = rsa_key().token(JwsAlgorithm::kRs256, claims());
  ASSERT_TRUE(read(token));
  for (std::size_t at = 0; at < token.size(); ++at) {
    std::string other = token;
    other[at] = other[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(read(other)) << at;
  }
  for (std::size_t size = 0; size < token.size(); ++size) EXPECT_FALSE(read(token.substr(0, size))) << size;
  EXPECT_FALSE(read(token + 'A'));
  EXPECT_FALSE(read(token + "="));
  EXPECT_FALSE(read(token + '.'));
  // Another's claims under this signature.
  const std::string other = rsa_key().token(JwsAlgorithm::kRs256, claims_with({{"gigawerk_role", "admin"}}));
  const std::size_t dot = token.find('.'), last = token.rfind('.'), its_last = other.rfind('.');
  EXPECT_FALSE(read(token.substr(0, dot) + other.substr(other.find('.'), its_last - other.find('.')) +
                    token.substr(last)));
}

TEST(Oidc, KeysByTheirIds) {
  const SigningKey stranger = SigningKey::p256("ec-1");  // The id of a good one.
  expect_silence(stranger.token(JwsAlgorithm::kEs256, claims()));
  const SigningKey unknown = SigningKey::p256("ec-2");
  const auto bearer = read(unknown.token(JwsAlgorithm::kEs256, claims()));
  ASSERT_FALSE(bearer);
  EXPECT_EQ(bearer.error().code, "unknown_key");
  EXPECT_EQ(bearer.error().message, kSilent);
  // A good signature under another key's id.
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"kid", "ec-384"}}));
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"kid", 7}}));
  // Without an id: the only key that takes the algorithm.
  const TestJson header{{"alg", "ES256"}};
  const std::string nameless = ec_key().token_of_texts(JwsAlgorithm::kEs256, header.dump(), claims().dump());
  EXPECT_TRUE(read(nameless));
  const KeySet two = KeySet::parse(jwk_set({ec_key().jwk(), unknown.jwk()})).value();
  EXPECT_FALSE(read_bearer(nameless, two, options(), kNow));
}

/// Keys that a token brings along, or points to, are the attacker's.
TEST(Oidc, KeysInTheHeaderAreNotLookedAt) {
  const SigningKey stranger = SigningKey::p256("ec-1");
  for (const char* member : {"jwk", "jku", "x5u", "x5c", "x5t"}) {
    TestJson header;
    header[member] = stranger.jwk();
    if (std::string(member) != "jwk") header[member] = "http://127.0.0.1:1/keys";
    expect_silence(stranger.token(JwsAlgorithm::kEs256, claims(), header));
  }
}

TEST(Oidc, TypesAndExtensions) {
  for (const char* type : {"JWT", "jwt", "at+jwt", "application/at+jwt", "application/jwt"})
    EXPECT_TRUE(read(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"typ", type}}))) << type;
  for (const char* type : {"logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "", "jwt "})
    expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"typ", type}}));
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"typ", 1}}));
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"typ", nullptr}}));
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"crit", {"exp"}}}));
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"crit", TestJson::array()}}));
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims(), {{"crit", {"b64"}}, {"b64", false}}));
}

TEST(Oidc, Malformed) {
  const std::string good = claims().dump();
  const auto with_header = [&](std::string_view header) {
    return ec_key().token_of_texts(JwsAlgorithm::kEs256, header, good);
  };
  for (const char* header :
       {"", "{}", "[]", "null", "\"ES256\"", "{\"alg\":\"ES256\",\"kid\":\"ec-1\"",
        "{\"alg\":\"ES256\",\"kid\":\"ec-1\"}}", "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"kid\":\"ec-1\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"kid\":\"ec-1\"}", "{\"kid\":\"ec-1\"}",
        "{\"alg\":[\"ES256\"],\"kid\":\"ec-1\"}", "{\"alg\":null,\"kid\":\"ec-1\"}",
        "{\"Alg\":\"ES256\",\"kid\":\"ec-1\"}", "{\"alg\":\"ES256\\u0000\",\"kid\":\"ec-1\"}",
        "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"x\":\"\xff\"}", "\xef\xbb\xbf{\"alg\":\"none\"}"})
    expect_silence(with_header(header));
  for (const char* text :
       {"", ".", "..", "...", "a.b.c", "a.b", "a.b.c.d.e", "e30.e30.", "e30.e30.AA", "🙂.🙂.🙂"})
    EXPECT_FALSE(read(std::string(text))) << text;
  // Claims, well signed, that are none.
  const std::string header = TestJson{{"alg", "ES256"}, {"kid", "ec-1"}}.dump();
  for (const std::string& payload : {std::string(), std::string("[]"), std::string("null"), good + "x",
                                     good.substr(1), good.substr(0, good.size() - 1) + ",\"exp\":9999999999}",
                                     good.substr(0, good.size() - 1) + ",\"sub\":\"root\"}"}) {
    const auto bearer = read(ec_key().token_of_texts(JwsAlgorithm::kEs256, header, payload));
    ASSERT_FALSE(bearer) << payload;
    EXPECT_THAT(bearer.error().message, HasSubstr("the token's claims"));
  }
}

TEST(Oidc, HugeAndDeep) {
  expect_silence(ec_key().token(JwsAlgorithm::kEs256, claims_with({{"x", std::string(20'000, 'x')}})));
  EXPECT_TRUE(read(claims_with({{"x", std::string(8'000, 'x')}})));
  const auto nested = [](int depth) {
    return "{\"alg\":\"ES256\",\"kid\":\"ec-1\",\"x\":" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
  };
  EXPECT_TRUE(read(ec_key().token_of_texts(JwsAlgorithm::kEs256, nested(8), claims().dump())));
  for (const int depth : {20, 1000, 5000})
    expect_silence(ec_key().token_of_texts(JwsAlgorithm::kEs256, nested(depth), claims().dump()));
}

TEST(Oidc, IssuerAndAudienceLetterByLetter) {
  for (const char* issuer :
       {"https://login.test/realm/", "https://login.test/Realm", "http://login.test/realm",
        "https://login.test", "", "https://evil.test/?https://login.test/realm"})
    expect_refusal({{"iss", issuer}}, "another issuer");
  expect_refusal({{"iss", nullptr}}, "another issuer");
  expect_refusal({{"iss", {"https://login.test/realm"}}}, "another issuer");
  for (const char* audience : {"Gigawerk", "gigawerk ", "gigawerk2", "", "account"})
    expect_refusal({{"aud", audience}}, "another audience");
  expect_refusal({{"aud", nullptr}}, "another audience");
  expect_refusal({{"aud", TestJson::array()}}, "another audience");
  expect_refusal({{"aud", {"account", 5, "gigawerk"}}}, "another audience");
  expect_refusal({{"aud", {{"gigawerk", true}}}}, "another audience");
  EXPECT_TRUE(read(claims_with({{"aud", {"account", "gigawerk"}}})));
}

TEST(Oidc, Times) {
  expect_refusal({{"exp", nullptr}}, "does not say when it expires");
  for (const TestJson& none : {TestJson("1800000300"), TestJson(true), TestJson::array()})
    expect_refusal({{"exp", none}}, "does not say when it expires");
  // With the leeway of a minute, both ends exactly.
  EXPECT_TRUE(read(claims_with({{"exp", kNow - 59}})));
  expect_refusal({{"exp", kNow - 60}}, "has expired");
  expect_refusal({{"exp", 0}}, "has expired");
  expect_refusal({{"exp", -1e300}}, "has expired");
  EXPECT_TRUE(read(claims_with({{"exp", kNow + 0.5}})));
  const auto for_ever = read(claims_with({{"exp", 1e300}}));
  ASSERT_TRUE(for_ever);
  EXPECT_GT(for_ever->until_unix_s, kNow);
  EXPECT_TRUE(read(claims_with({{"nbf", kNow + 60}})));
  expect_refusal({{"nbf", kNow + 61}}, "not valid yet");
  expect_refusal({{"iat", kNow + 61}}, "not valid yet");
  expect_refusal({{"nbf", "soon"}}, "\"nbf\" is no time");
  expect_refusal({{"iat", nullptr}, {"nbf", TestJson::array()}}, "\"nbf\" is no time");
  EXPECT_TRUE(read(claims_with({{"iat", nullptr}})));
  OidcOptions strict = options();
  strict.leeway_s = 0;
  EXPECT_TRUE(read(claims_with({{"exp", kNow + 1}}), strict));
  EXPECT_FALSE(read(claims_with({{"exp", kNow}}), strict));
}

TEST(Oidc, UsersNames) {
  EXPECT_EQ(read(claims())->user, "ada");
  EXPECT_EQ(read(claims_with({{"preferred_username", nullptr}, {"email", "ada@acme.test"}}))->user,
            "ada@acme.test");
  EXPECT_EQ(read(claims_with({{"preferred_username", nullptr}}))->user, "3f0c");
  // An address that nobody has looked at is nobody's name.
  EXPECT_EQ(
      read(claims_with(
               {{"preferred_username", nullptr}, {"email", "root@acme.test"}, {"email_verified", false}}))
          ->user,
      "3f0c");
  EXPECT_EQ(read(claims_with(
                     {{"preferred_username", nullptr}, {"email", "ada@acme.test"}, {"email_verified", true}}))
                ->user,
            "ada@acme.test");
  for (const char* name :
       {"", " ada", "ada lovelace", "-ada", "=cmd()", "@ada", "+ada", "../ada", "ada/../root", "ada\nroot",
        "ada\x1b[2J", "ad\xc3\xa4", "ada\"", "ada'", "ada;id", "$(id)", "ada`id`", "ada<b>"})
    expect_refusal({{"preferred_username", name}}, "cannot be a user's name");
  expect_refusal({{"preferred_username", std::string(201, 'a')}}, "cannot be a user's name");
  expect_refusal({{"preferred_username", std::string("ada\0root", 8)}}, "cannot be a user's name");
  expect_refusal({{"preferred_username", {{"name", "ada"}}}}, "cannot be a user's name");
  expect_refusal({{"sub", nullptr}}, "no subject");
  expect_refusal({{"sub", "a b"}}, "no subject");
  expect_refusal({{"sub", std::string(256, 's')}}, "no subject");
  OidcOptions by_other = options();
  by_other.user_claims = {"actor"};
  EXPECT_EQ(read(claims_with({{"actor", "ci-17"}}), by_other)->user, "ci-17");
  EXPECT_FALSE(read(claims(), by_other));
}

TEST(Oidc, RolesEndAtTheHighestAllowed) {
  EXPECT_EQ(read(claims_with({{"gigawerk_role", "member"}}))->role, live::Role::kMember);
  EXPECT_EQ(read(claims_with({{"gigawerk_role", "operator"}}))->role, live::Role::kOperator);
  EXPECT_EQ(read(claims_with({{"gigawerk_role", "admin"}}))->role, live::Role::kOperator);
  OidcOptions more = options();
  more.most_role = live::Role::kAdmin;
  EXPECT_EQ(read(claims_with({{"gigawerk_role", "admin"}}), more)->role, live::Role::kAdmin);
  more.most_role = live::Role::kViewer;
  EXPECT_EQ(read(claims_with({{"gigawerk_role", "admin"}}), more)->role, live::Role::kViewer);
  for (const TestJson& role :
       {TestJson("root"), TestJson("Admin"), TestJson(""), TestJson(3), TestJson({"member"})})
    expect_refusal({{"gigawerk_role", role}}, "is no role");
}

TEST(Oidc, TenantsOfClaims) {
  for (const TestJson& path :
       {TestJson(""), TestJson("/"), TestJson("/acme"), TestJson("acme/"), TestJson("acme//vision"),
        TestJson("../acme"), TestJson("acme/.."), TestJson("acme\nvision"), TestJson(0), TestJson({"acme"})})
    expect_refusal({{"gigawerk_tenant", path}}, "is no path of a tenant");
  const auto nowhere = read(claims_with({{"gigawerk_tenant", nullptr}}));
  ASSERT_TRUE(nowhere);
  EXPECT_EQ(nowhere->tenant, "");
  EXPECT_FALSE(nowhere->everywhere);
}

TEST(Oidc, TenantsAndRolesOfGroups) {
  OidcOptions with = options();
  with.groups = {{"staff", "", true, live::Role::kOperator},
                 {"/ai/vision", "acme/vision", false, live::Role::kMember},
                 {"/ai/audio", "acme/audio", false, live::Role::kViewer},
                 {"/ai/audio-leads", "acme/audio", false, live::Role::kOperator},
                 {"/everybody", "", false, live::Role::kMember}};
  const auto of = [&](const TestJson& groups, const TestJson& more = TestJson::object()) {
    TestJson all{{"gigawerk_tenant", nullptr}, {"groups", groups}};
    all.update(more);
    return read(claims_with(all), with);
  };
  EXPECT_EQ(of({"/ai/vision"})->tenant, "acme/vision");
  EXPECT_EQ(of({"/ai/vision"})->role, live::Role::kMember);
  // The first in the file decides, whatever the order in the token; a role counts for its own tenant alone.
  EXPECT_EQ(of({"/ai/audio-leads", "/ai/vision"})->tenant, "acme/vision");
  EXPECT_EQ(of({"/ai/audio-leads", "/ai/vision"})->role, live::Role::kMember);
  EXPECT_EQ(of({"/ai/audio-leads"})->role, live::Role::kOperator);
  EXPECT_EQ(of({"/ai/audio", "/ai/audio-leads"})->role, live::Role::kViewer);
  // A claim names the tenant: roles of other tenants do not come along.
  EXPECT_EQ(of({"staff", "/ai/vision", "/everybody"}, {{"gigawerk_tenant", "other"}})->role,
            live::Role::kMember);
  EXPECT_EQ(of({"staff", "/ai/vision"}, {{"gigawerk_tenant", "other"}})->role, live::Role::kViewer);
  EXPECT_FALSE(of({"staff"}, {{"gigawerk_tenant", "other"}})->everywhere);
  EXPECT_TRUE(of({"staff"})->everywhere);
  EXPECT_EQ(of({"staff"})->role, live::Role::kOperator);
  EXPECT_EQ(of("staff")->everywhere, true);  // One alone may be a text.
  for (const char* near : {"/ai/visio", "/ai/vision/", "/AI/vision", "ai/vision", ""})
    EXPECT_EQ(of({near})->tenant, "") << near;
  EXPECT_FALSE(of({"/ai/vision", 7}));
  EXPECT_FALSE(of({{"/ai/vision", true}}));
}

TEST(KeySet, PassesOverWhatItCannotUse) {
  const SigningKey weak = SigningKey::rsa("weak", 1024);
  TestJson off_curve = ec_key().jwk();
  off_curve["y"] = base64url(std::string(32, '\x07'));
  TestJson short_coordinate = ec_key().jwk();
  short_coordinate["x"] = base64url(std::string(31, '\x07'));
  TestJson other_curve = ec_key().jwk();
  other_curve["crv"] = "P-384";
  TestJson even = rsa_key().jwk();
  even["e"] = base64url(std::string(1, '\x01'));
  TestJson padded = rsa_key().jwk();
  padded["n"] = padded["n"].get<std::string>() + "=";
  for (const TestJson& bad :
       {weak.jwk(), off_curve, short_coordinate, other_curve, even, padded, ec_key().jwk({{"use", "enc"}}),
        ec_key().jwk({{"key_ops", {"encrypt"}}}), ec_key().jwk({{"key_ops", "verify"}}),
        ec_key().jwk({{"alg", "RS256"}}), ec_key().jwk({{"alg", "HS256"}}), ec_key().jwk({{"kty", "ec"}}),
        TestJson{{"kty", "oct"}, {"k", "AAAA"}}, TestJson{{"kty", "EC"}}, TestJson(7), TestJson::object()}) {
    const Result<KeySet> alone = KeySet::parse(jwk_set({bad}));
    ASSERT_FALSE(alone) << bad;
    EXPECT_THAT(alone.error().message, HasSubstr("no key that can be used"));
    const Result<KeySet> beside = KeySet::parse(jwk_set({bad, ed_key().jwk()}));
    ASSERT_TRUE(beside) << bad;
    EXPECT_EQ(beside->size(), 1U);
    EXPECT_EQ(beside->passed_over(), 1U);
  }
  EXPECT_TRUE(
      KeySet::parse(jwk_set({ec_key().jwk({{"use", "sig"}, {"key_ops", {"verify"}}, {"alg", "ES256"}})})));
}

TEST(KeySet, IsOneJsonObject) {
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("{}"), std::string("{\"keys\":{}}"),
        std::string("<html>"), "{\"keys\":[],\"keys\":[" + ec_key().jwk().dump() + "]}",
        std::string(2'000'000, ' ')})
    EXPECT_FALSE(KeySet::parse(text));
}

}  // namespace
}  // namespace gw::api
