// What the screen makes of the server's answers.
#include "top/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "top/fake_factory.h"

namespace gw::top {
namespace {

using testing::HasSubstr;
using testing::Not;

FakeFactory factory_of(int jobs) {
  FakeFactory factory;
  for (int i = 1; i <= jobs; ++i)
    factory.add_job(fmt::format("{}", i), fmt::format("job-{}", i), i <= 3 ? "running" : "waiting", 8);
  for (int i = 1; i <= 12; ++i)
    factory.add_node(fmt::format("rack-1/n{:02}", i), i == 3 ? "down" : "up", i % 9);
  factory.add_tenant("acme", 3, 48, 80, 60);
  factory.add_tenant("acme/vision", 1, 48, 80, 60);
  factory.add_tenant("zeta", 1, 8, 8, 1);
  return factory;
}

TEST(Model, OfALongQueueOnlyWhatIsInSightIsAsked) {
  FakeFactory factory = factory_of(100'000);
  Session session(factory);
  session.factory.rows_given = 0;
  session.pass(1);
  EXPECT_LT(factory.rows_given, 50U);
  EXPECT_THAT(session.last_row(), HasSubstr("1/100,000"));
  session.press(KeyCode::kEnd);
  EXPECT_THAT(session.selected(), HasSubstr("job-100000"));
  EXPECT_THAT(session.last_row(), HasSubstr("100,000/100,000"));
  session.press(KeyCode::kPageUp, 3);
  EXPECT_THAT(session.selected(), HasSubstr("job-9995"));
  session.press(KeyCode::kHome);
  EXPECT_THAT(session.selected(), HasSubstr("job-1 "));
  EXPECT_LT(factory.rows_given, 500U);
}

TEST(Model, ScrollingByALineAsksSeldomAndNeverShowsAGap) {
  FakeFactory factory = factory_of(1000);
  Session session(factory);
  session.asks.clear();
  for (int i = 0; i < 200; ++i) {
    // What is drawn before the answer has come must be there already.
    session.model.press({KeyCode::kDown, ""});
    EXPECT_THAT(session.frame(), Not(HasSubstr("…"))) << i;
    session.pass(0);
  }
  std::size_t pages = 0;
  std::string last;
  for (const Ask& ask : session.asks) {
    if (ask.kind != Ask::Kind::kJobs) continue;
    pages += ask.target != last;
    last = ask.target;
  }
  EXPECT_LT(pages, 40U);
}

TEST(Model, TheCursorFollowsItsJob) {
  FakeFactory factory = factory_of(30);
  Session session(factory);
  session.press(KeyCode::kDown, 4);
  EXPECT_THAT(session.selected(), HasSubstr("job-5"));
  factory.jobs.erase(factory.jobs.begin(), factory.jobs.begin() + 2);
  session.pass(1);
  EXPECT_THAT(session.selected(), HasSubstr("job-5"));
  factory.jobs.erase(factory.jobs.begin() + 2);  // Itself: the one that takes its place is next.
  session.pass(1);
  EXPECT_THAT(session.selected(), HasSubstr("job-6"));
}

TEST(Model, AtTheTopOneLooksAtWhatIsFirst) {
  FakeFactory factory = factory_of(30);
  Session session(factory);
  factory.add_job("31", "urgent", "running", 1);
  std::rotate(factory.jobs.begin(), factory.jobs.end() - 1, factory.jobs.end());
  session.pass(1);
  EXPECT_THAT(session.selected(), HasSubstr("urgent"));
}

TEST(Model, TheListMayShrinkUnderTheCursor) {
  FakeFactory factory = factory_of(100);
  Session session(factory);
  session.press(KeyCode::kEnd);
  factory.jobs.resize(2);
  session.pass(1);
  EXPECT_THAT(session.selected(), HasSubstr("job-2"));
  factory.jobs.clear();
  session.pass(1);
  EXPECT_THAT(session.frame(), HasSubstr("no job waits or runs"));
  session.press("och");  // There is nothing to act on.
  session.press(KeyCode::kEnter);
  EXPECT_TRUE(session.orders.empty());
  EXPECT_FALSE(session.model.screen().prompt);
}

TEST(Model, PanesAreReachedByNumberAndTab) {
  FakeFactory factory = factory_of(3);
  Session session(factory);
  session.press("2");
  EXPECT_THAT(session.selected(), HasSubstr("rack-1/n01"));
  session.press(KeyCode::kTab);
  EXPECT_THAT(session.selected(), HasSubstr("acme"));
  session.press(KeyCode::kTab);
  EXPECT_THAT(session.selected(), HasSubstr("job-1"));
  session.press(KeyCode::kBackTab);
  EXPECT_EQ(session.model.screen().pane, Pane::kTenants);
  EXPECT_EQ(session.asks.back().target, "/v1/tenants");
}

TEST(Model, WhoTypesAheadOfTheAnswerArrives) {
  FakeFactory factory = factory_of(100);
  Session session(factory);
  session.model.press({KeyCode::kText, "2"});
  session.model.press({KeyCode::kEnd, ""});
  session.pass(1);
  EXPECT_THAT(session.selected(), HasSubstr("rack-1/n12"));
}

TEST(Model, SortingIsTheServersWork) {
  FakeFactory factory = factory_of(3);
  Session session(factory);
  const auto sort = [&] { return FakeFactory::parameter(session.asks.back().target, "sort"); };
  EXPECT_EQ(sort(), "queue");
  session.press("s");
  EXPECT_EQ(sort(), "-time");
  session.press("s");
  EXPECT_EQ(sort(), "-gpus");
  session.press("S");
  EXPECT_EQ(sort(), "gpus");
  session.press("2S");
  EXPECT_EQ(sort(), "-fleet");
  session.press("s");
  EXPECT_EQ(sort(), "state");
}

TEST(Model, TheFilterActsWhileItIsTyped) {
  FakeFactory factory = factory_of(30);
  Session session(factory);
  session.press(KeyCode::kDown, 3);
  session.press("/job-2");
  EXPECT_THAT(session.selected(), HasSubstr("job-2 "));
  EXPECT_THAT(session.last_row(), HasSubstr("/job-2"));
  session.press(KeyCode::kEnter);
  EXPECT_THAT(session.frame(), HasSubstr("1/11"));
  session.press("/");
  session.press(KeyCode::kBackspace);
  session.press("9");
  EXPECT_EQ(session.model.screen().list().filter, "job-9");
  session.press(KeyCode::kEscape);  // As it was before.
  EXPECT_EQ(session.model.screen().list().filter, "job-2");
  session.press("/");
  session.press(KeyCode::kClear);
  session.press("none");
  session.press(KeyCode::kEnter);
  EXPECT_THAT(session.frame(), HasSubstr("nothing matches /none"));
  session.press(KeyCode::kEscape);
  EXPECT_EQ(session.model.screen().list().filter, "");
}

TEST(Model, CancellingAsksFirst) {
  FakeFactory factory = factory_of(3);
  Session session(factory);
  session.press("c");
  EXPECT_THAT(session.last_row(), HasSubstr("Cancel job 1 (job-1)?"));
  session.press("n");
  EXPECT_TRUE(session.orders.empty());
  session.press("c");
  session.press(KeyCode::kEnter);
  EXPECT_TRUE(session.orders.empty());
  session.press("cy");
  ASSERT_EQ(session.orders.size(), 1U);
  EXPECT_EQ(session.orders[0].target, "/v1/jobs/1/cancel");
  session.model.take(OrderResult{session.orders[0], {}});
  EXPECT_THAT(session.last_row(), HasSubstr("job 1 is cancelled"));
  session.pass(6);
  EXPECT_THAT(session.last_row(), Not(HasSubstr("job 1 is cancelled")));
}

TEST(Model, TheJobThatIsAskedAboutIsTheOneThatIsCancelled) {
  FakeFactory factory = factory_of(30);
  Session session(factory);
  session.press("c");
  factory.jobs.erase(factory.jobs.begin());
  session.pass(1);
  session.press("y");
  ASSERT_EQ(session.orders.size(), 1U);
  EXPECT_EQ(session.orders[0].target, "/v1/jobs/1/cancel");
}

TEST(Model, ATaskOrItsWholeArray) {
  FakeFactory factory;
  factory.add_job("7_2", "sweep", "waiting", 1)["array"] = {{"job", 7}, {"index", 2}, {"tasks", 9}};
  Session session(factory);
  session.press("ca");
  ASSERT_EQ(session.orders.size(), 1U);
  EXPECT_EQ(session.orders[0].target, "/v1/jobs/7/cancel");
  session.press("cy");
  EXPECT_EQ(session.orders.back().target, "/v1/jobs/7_2/cancel");
}

TEST(Model, ARefusalIsShown) {
  FakeFactory factory = factory_of(1);
  Session session(factory);
  session.press("h");
  ASSERT_EQ(session.orders.size(), 1U);
  EXPECT_EQ(session.orders[0].target, "/v1/jobs/1/hold");
  session.model.take(OrderResult{
      session.orders[0],
      client::Failure{client::Failure::Kind::kRefused, 403, "forbidden", "this needs the role member"}});
  EXPECT_THAT(session.last_row(), HasSubstr("this needs the role member"));
}

TEST(Model, DrainingAsksAndTakesAReason) {
  FakeFactory factory = factory_of(1);
  Session session(factory);
  session.press("2d");
  EXPECT_THAT(session.last_row(), HasSubstr("Drain node rack-1/n01?"));
  session.press("yfan");
  EXPECT_TRUE(session.orders.empty());
  session.press(KeyCode::kEnter);
  ASSERT_EQ(session.orders.size(), 1U);
  EXPECT_EQ(session.orders[0].method, "PATCH");
  EXPECT_EQ(session.orders[0].target, "/v1/nodes/rack-1/n01");
  EXPECT_EQ(session.orders[0].body, (Json{{"drained", true}, {"reason", "fan"}}));
  session.press("dy");
  session.press(KeyCode::kEscape);
  EXPECT_EQ(session.orders.size(), 1U);
  session.press("r");
  EXPECT_EQ(session.orders.back().body, (Json{{"drained", false}}));
}

TEST(Model, ATenantLeadsToItsQueue) {
  FakeFactory factory = factory_of(5);
  Session session(factory);
  session.press("3");
  session.press(KeyCode::kDown);
  session.press(KeyCode::kEnter);
  EXPECT_EQ(session.model.screen().pane, Pane::kQueue);
  EXPECT_EQ(FakeFactory::parameter(session.asks.back().target, "tenant"), "acme%2Fvision");
  EXPECT_THAT(session.frame(), HasSubstr("of acme/vision"));
  session.press(KeyCode::kEscape);
  EXPECT_EQ(FakeFactory::parameter(session.asks.back().target, "tenant"), "");
}

TEST(Model, DetailsAndTheWayBack) {
  FakeFactory factory = factory_of(5);
  Session session(factory);
  session.press(KeyCode::kDown, 3);
  session.press(KeyCode::kEnter);
  EXPECT_THAT(session.frame(), HasSubstr("too few GPUs of its kind are free"));
  EXPECT_THAT(session.frame(), HasSubstr("a job of another tenant"));
  factory.jobs[3]["status"] = "running";
  session.pass(1);
  EXPECT_THAT(session.frame(), HasSubstr("running"));
  session.press("?");
  EXPECT_THAT(session.frame(), HasSubstr("Everywhere"));
  session.press("q");
  EXPECT_THAT(session.frame(), HasSubstr("Job 4"));
  session.press("q");
  EXPECT_THAT(session.selected(), HasSubstr("job-4"));
  EXPECT_FALSE(session.model.done());
  session.press("q");
  EXPECT_TRUE(session.model.done());
}

TEST(Model, AJobThatIsGoneSaysSo) {
  FakeFactory factory = factory_of(5);
  Session session(factory);
  session.press(KeyCode::kEnter);
  factory.jobs.clear();
  session.pass(1);
  EXPECT_THAT(session.frame(), HasSubstr("there is no such job"));
}

TEST(Model, OutputIsFollowedFromNearItsEnd) {
  FakeFactory factory = factory_of(1);
  std::string& output = factory.outputs["1"];
  for (int i = 0; i < 100'000; ++i) output += fmt::format("step {}\n", i);
  Session session(factory);
  session.press("o");
  EXPECT_THAT(session.frame(), HasSubstr("step 99999"));
  EXPECT_THAT(session.frame(), Not(HasSubstr("step 1\n")));
  EXPECT_THAT(session.last_row(), HasSubstr("following"));
  output += "loss 0.5\n";
  session.pass(1);
  EXPECT_THAT(session.frame(), HasSubstr("loss 0.5"));
  session.press(KeyCode::kPageUp);
  output += "loss 0.4\n";
  const std::string before = session.row(10);
  session.pass(1);
  EXPECT_EQ(session.row(10), before);  // Whoever reads is not disturbed.
  session.press(KeyCode::kEnd);
  EXPECT_THAT(session.frame(), HasSubstr("loss 0.4"));
  output = "again\n";  // It was requeued.
  factory.output_attempt = 2;
  session.pass(1);
  EXPECT_THAT(session.frame(), HasSubstr("again"));
  EXPECT_THAT(session.frame(), Not(HasSubstr("loss")));
}

TEST(Model, NobodyAnswers) {
  FakeFactory factory = factory_of(5);
  Session session(factory);
  factory.reachable = false;
  session.pass(2);
  EXPECT_THAT(session.last_row(), HasSubstr("cannot reach"));
  session.pass(10);
  EXPECT_THAT(session.row(0), HasSubstr("no answer since 12:03:45 (12s)"));
  EXPECT_THAT(session.selected(), HasSubstr("job-1"));  // What was known stays.
  factory.reachable = true;
  session.pass(1);
  EXPECT_THAT(session.row(0), HasSubstr("healthy"));
  EXPECT_THAT(session.last_row(), Not(HasSubstr("cannot reach")));
}

TEST(Model, ALateAnswerIsLeftAside) {
  FakeFactory factory = factory_of(100);
  Session session(factory);
  const Ask first = session.asks.back();
  const Answer late = factory.answer(first);
  session.press(KeyCode::kEnd);
  session.model.take(late);
  EXPECT_THAT(session.selected(), HasSubstr("job-100"));
}

TEST(Model, OneWithoutRightsToSeeAllHasNoStates) {
  FakeFactory factory = factory_of(5);
  factory.summary["scoped"] = true;
  Session session(factory);
  EXPECT_THAT(session.frame(), HasSubstr("3 running  2 not running"));
  session.press("3");
  EXPECT_THAT(session.frame(), Not(HasSubstr("┃")));
}

/// Whatever is pressed and answered, at any size, a frame can be drawn and the cursor is on a row.
RC_GTEST_PROP(Model, AnyKeysAtAnySize, ()) {
  FakeFactory factory = factory_of(*rc::gen::inRange(0, 200));
  Session session(factory, 80, 24);
  const std::string keys = "qjkgG123?sS/cohrdya \x01\x02\x03\x04\x05\x06\x07\x08";
  for (int step = 0; step < 60; ++step) {
    const char key = *rc::gen::elementOf(keys);
    if (key < ' ') {
      session.press(static_cast<KeyCode>(key));
    } else {
      session.press(std::string(1, key));
    }
    if (*rc::gen::inRange(0, 5) == 0)
      session.model.resize(*rc::gen::inRange<std::size_t>(1, 250), *rc::gen::inRange<std::size_t>(1, 80));
    if (*rc::gen::inRange(0, 5) == 0)
      factory.jobs.resize(*rc::gen::inRange<std::size_t>(0, factory.jobs.size() + 1));
    session.pass(1);
    const Screen& screen = session.model.screen();
    RC_ASSERT(draw(screen).columns() == screen.columns);
    RC_ASSERT(screen.list().cursor == 0U || !screen.known() || screen.list().cursor < screen.found());
    RC_ASSERT(screen.list().top <= screen.list().cursor);
  }
}

}  // namespace
}  // namespace gw::top
