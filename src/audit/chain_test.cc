// The chain and its records: every kind of tampering is found, and where.
#include "audit/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "audit/decision_record.h"

namespace gw::audit {
namespace {

using ::testing::HasSubstr;

std::vector<Link> chain(std::uint64_t length) {
  std::vector<Link> links;
  Head head;
  for (std::uint64_t number = 1; number <= length; ++number) {
    const std::string record = R"({"outcome":"admitted","sequence":)" + std::to_string(number) + "}";
    head = next(head, record);
    links.push_back({number, record, head.hash});
  }
  return links;
}

std::string verify(const std::vector<Link>& links, std::optional<Head> anchor = {}) {
  ChainVerifier verifier(std::move(anchor));
  for (const Link& link : links) {
    if (std::string problem = verifier.take(link); !problem.empty()) return problem;
  }
  return verifier.finish();
}

TEST(Chain, TheHashIsThatOfTheHashBeforeAndTheRecord) {
  EXPECT_EQ(hex(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4.
  const std::string record = R"({"sequence":1})";
  EXPECT_EQ(next(Head{}, record).hash, sha256(std::string(32, '\0') + record));
}

TEST(Chain, HoldsAndSaysWhereItDoesNot) {
  const std::vector<Link> good = chain(5);
  EXPECT_EQ(verify(good), "");
  EXPECT_EQ(verify({}), "");

  std::vector<Link> bad = good;  // One record altered.
  bad[2].record.replace(bad[2].record.find("admitted"), 8, "refused!");
  EXPECT_THAT(verify(bad), HasSubstr("record 3 is not what was written"));

  // Altered together with its hash: the next one does not follow any more.
  bad[2].hash = next({2, bad[1].hash}, bad[2].record).hash;
  EXPECT_THAT(verify(bad), HasSubstr("record 4 is not what was written"));

  bad = good;  // One left out.
  bad.erase(bad.begin() + 1);
  EXPECT_THAT(verify(bad), HasSubstr("record 3 follows record 1: records between them are missing"));

  bad = good;  // The first left out.
  bad.erase(bad.begin());
  EXPECT_THAT(verify(bad), HasSubstr("record 2 follows record 0"));

  bad = good;  // Two exchanged.
  std::swap(bad[1], bad[2]);
  EXPECT_THAT(verify(bad), HasSubstr("record 3 follows record 1"));

  bad = good;  // Exchanged and numbered anew outside of the record.
  std::swap(bad[1], bad[2]);
  bad[1].sequence = 2;
  EXPECT_THAT(verify(bad), HasSubstr("record 2 says of itself that it is another"));

  bad = good;  // One twice.
  bad.insert(bad.begin() + 1, good[0]);
  EXPECT_THAT(verify(bad), HasSubstr("record 1 follows record 1: it stands twice"));
}

TEST(Chain, AHeadThatWasKeptFindsWhatTheChainAloneCannot) {
  const std::vector<Link> good = chain(5);
  const Head head{5, good[4].hash};
  EXPECT_EQ(verify(good, head), "");
  EXPECT_EQ(verify(good, Head{3, good[2].hash}), "");  // It has grown since.

  std::vector<Link> shorter(good.begin(), good.begin() + 3);
  EXPECT_EQ(verify(shorter), "");  // Its end is missing, and nobody can tell,
  EXPECT_THAT(verify(shorter, head), HasSubstr("its end is missing"));  // but who has kept the head.

  // All written anew, without the second record.
  std::vector<Link> anew;
  Head at;
  for (std::uint64_t number = 1; number <= 5; ++number) {
    const std::string record = R"({"outcome":"refused","sequence":)" + std::to_string(number) + "}";
    at = next(at, record);
    anew.push_back({number, record, at.hash});
  }
  EXPECT_EQ(verify(anew), "");
  EXPECT_THAT(verify(anew, head), HasSubstr("was written anew"));
  EXPECT_THAT(verify({}, head), HasSubstr("its end is missing"));
}

TEST(Chain, HeadsAndLinesAreReadAsTheyAreWritten) {
  const Head head{12, sha256("x")};
  EXPECT_EQ(parse_head(head_text(head)).value(), head);
  for (const char* bad : {"", "12", "12:", "12:zz", "x:00", "12:00", " 12:", "-1:"})
    EXPECT_FALSE(parse_head(bad)) << bad;
  const std::vector<Link> links = chain(1);
  const std::string line = chain_line(links[0].record, links[0].hash);
  const Result<Link> read = parse_chain_line(line);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->record, links[0].record);
  EXPECT_EQ(read->hash, links[0].hash);
  EXPECT_EQ(read->sequence, 1U);
  for (std::size_t length = 0; length < line.size(); ++length)
    EXPECT_FALSE(parse_chain_line(line.substr(0, length))) << length;
  EXPECT_FALSE(parse_chain_line(R"({"hash":"00","record":{}})"));
}

TEST(DecisionRecord, IsCanonicalAndSaysWhatWasDecidedBy) {
  Fleet fleet = flat_fleet(2);
  fleet.sites.emplace_back().name = "here";
  fleet.sites[0].country = "DE";
  fleet.sites[0].jurisdictions = {"DE"};
  Law law;
  law.in_use = true;
  law.groups = {{"EU", {"DE", "FR"}, "", {}}};
  LegalRule& rule = law.rules.emplace_back();
  rule.name = "not-here";
  rule.source = "a contract";
  rule.since = parse_day("2026-01-01");
  rule.forbids.country = law.places({"EU"}).value();
  ASSERT_EQ(divide_zones(fleet, law), "");
  DecisionRecord record;
  record.sequence = 7;
  record.time = "2026-11-26T18:30:00.000Z";
  record.name = "a \"job\"\n";
  record.outcome = "refused";
  record.reason = "rule";
  record.day = parse_day("2026-11-26");
  record.tenant = {"acme", "DE", {"DE", "CN"}, "manufacturer"};
  record.facts.residency = {"EU"};
  const LawDecision decision = decide(law, fleet, record.tenant, record.facts, record.day);
  record.message = decision.refusal(law);
  const std::string text = canonical_json(record, law, &decision);
  const nlohmann::json json = nlohmann::json::parse(text);
  EXPECT_EQ(json.dump(), text);  // Keys in order, no spaces.
  EXPECT_EQ(json["sequence"], 7);
  EXPECT_EQ(json["day"], "2026-11-26");
  EXPECT_EQ(json["job"]["number"], nullptr);
  EXPECT_EQ(json["job"]["residency"], nlohmann::json::array({"EU"}));
  EXPECT_EQ(json["tenant"]["owners"], nlohmann::json::array({"DE", "CN"}));
  ASSERT_EQ(json["rules"].size(), 1U);
  EXPECT_EQ(json["rules"][0]["since"], "2026-01-01");
  EXPECT_EQ(json["rules"][0]["version"], rule_version(rule));
  ASSERT_EQ(json["zones"].size(), 1U);
  EXPECT_EQ(json["zones"][0]["open"], false);
  EXPECT_EQ(json["zones"][0]["closed_by"][0]["why"], "stands in DE");
  EXPECT_THAT(json["message"], HasSubstr("rule not-here"));

  const std::string version = rule_version(rule);
  law.groups[0].members.push_back("IT");  // Another list of countries is another wording.
  rule.forbids.country = law.places({"EU"}).value();
  EXPECT_NE(rule_version(rule), version);
}

}  // namespace
}  // namespace gw::audit
