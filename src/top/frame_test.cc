// Whole frames as text, kept in tests/golden/top; GW_UPDATE_GOLDEN=1 writes them anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "top/fake_factory.h"

namespace gw::top {
namespace {

using testing::HasSubstr;
using testing::Not;

void expect_frame(const std::string& name, const std::string& frame) {
  const std::string path = std::string(GW_SOURCE_DIR) + "/tests/golden/top/" + name + ".txt";
  const char* update = std::getenv("GW_UPDATE_GOLDEN");
  if (update != nullptr && *update != '\0' && *update != '0') std::ofstream(path) << frame;
  std::ifstream file(path);
  const std::string kept(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(kept, frame) << name << ": if this change is meant, set GW_UPDATE_GOLDEN=1";
}

FakeFactory busy_factory() {
  FakeFactory factory;
  factory.add_job("8801", "train-llm-70b", "running", 32)["nodes"] = 4;
  factory.jobs.back()["place"] = "rack-1/n[01-04]";
  factory.jobs.back()["limit_s"] = 86400;
  factory.add_job("8844", "finetune", "running", 8)["limit_s"] = 3900;
  factory.add_job("8850", "notebook", "running", 0.5)["stopping"] = true;
  factory.add_job("8851", "eval", "running", 4)["user"] = "bert";
  for (int i = 0; i < 40; ++i) {
    Json& job = factory.add_job(fmt::format("8860_{}", i), "sweep", "waiting", 1);
    job["array"] = {{"job", 8860}, {"index", i}, {"tasks", 40}};
    job["tenant"] = "acme/robotics/grasping/anna";
    if (i == 2) job["name"] = "a\033[2Jname\nwith controls";
    if (i == 3) job["name"] = "日本語のとても長い名前のジョブ";
    if (i == 4) job["status"] = "blocked", job["reason"] = "array_limit";
  }
  factory.add_job("8900", "nightly", "held", 64);
  factory.add_node("rack-1/n01", "up", 0);
  factory.add_node("rack-1/n02", "up", 3);
  factory.add_node("rack-1/n03", "draining", 6)["reason"] = "fan 2 is loud";
  factory.add_node("rack-1/n04", "drained", 8)["reason"] = "new firmware";
  Json& down = factory.add_node("rack-2/n01", "down", 0);
  down["reason"] = "no answer";
  Json& plain = factory.add_node("login-1", "up", 0);
  plain.erase("gpu_type");
  plain["gpus"] = 0, plain["cpus_free"] = 5.5, plain["memory_mib"] = 0;
  factory.add_tenant("acme", 3, 44.5, 84, 42)["limits"] = {{"gpus", 128}, {"jobs", 0}};
  factory.add_tenant("acme/robotics", 1, 0, 40, 40);
  factory.add_tenant("acme/vision", 2, 44.5, 44.5, 2)["limits"] = {{"gpus", 44}, {"jobs", 10}};
  factory.add_tenant("acme-labs", 1, 0, 0, 0);
  factory.add_tenant("zeta", 1, 12, 76, 3);
  return factory;
}

TEST(Frame, Queue) {
  FakeFactory factory = busy_factory();
  for (const auto& [columns, rows] : {std::pair{80, 24}, {120, 40}, {200, 60}, {40, 10}}) {
    Session session(factory, static_cast<std::size_t>(columns), static_cast<std::size_t>(rows));
    session.press("jj");
    expect_frame(fmt::format("queue-{}x{}", columns, rows), session.frame());
  }
}

TEST(Frame, NodesAndTenants) {
  FakeFactory factory = busy_factory();
  for (const auto& [columns, rows] : {std::pair{80, 24}, {120, 24}, {40, 10}}) {
    Session session(factory, static_cast<std::size_t>(columns), static_cast<std::size_t>(rows));
    session.press("2");
    expect_frame(fmt::format("nodes-{}x{}", columns, rows), session.frame());
    session.press("3");
    expect_frame(fmt::format("tenants-{}x{}", columns, rows), session.frame());
  }
}

TEST(Frame, Pages) {
  FakeFactory factory = busy_factory();
  Json& job = factory.jobs[4];
  job["note"] = "interrupted: its node went down";
  job["spec"] = {{"command", {"python", "train.py", "--epochs", "3"}}, {"working_folder", "/home/anna"}};
  job["attempts"] = {{{"attempt", 1},
                      {"place", "rack-2/n01"},
                      {"started", "2026-11-26T10:30:00Z"},
                      {"ended_at", "2026-11-26T10:45:30Z"},
                      {"end", "lost"},
                      {"exit_code", 0}}};
  Session session(factory);
  session.press("jjjj");
  session.press(KeyCode::kEnter);
  expect_frame("job-80x24", session.frame());
  session.press("q?");
  expect_frame("help-80x24", session.frame());
  session.press("q2");
  session.press(KeyCode::kEnter);
  expect_frame("node-80x24", session.frame());
  factory.outputs["8801"] =
      "epoch 1\n\033[32mloss 0.5\033[0m\nstep 1\rstep 2\rstep 3\n" + std::string(200, '=') + "\nend";
  session.press("q1go");
  expect_frame("output-80x24", session.frame());
}

TEST(Frame, InAscii) {
  FakeFactory factory = busy_factory();
  ModelOptions options;
  options.unicode = false;
  Session session(factory, 100, 24, options);
  for (const char* pane : {"1", "2", "3"}) {
    session.press(pane);
    const std::string frame = session.frame();
    EXPECT_TRUE(
        std::all_of(frame.begin(), frame.end(), [](char c) { return c == '\n' || (c >= ' ' && c < 0x7f); }));
  }
  session.press("1");
  expect_frame("queue-ascii-100x24", session.frame());
}

TEST(Frame, WithoutGpusTheCpusAreShown) {
  FakeFactory factory;
  factory.summary["gpus"] = Json::array();
  factory.summary["cpus"] = {{"all", 16}, {"used", 12.5}, {"free", 3.5}, {"off", 0}};
  factory.add_job("1", "make", "running", 0);
  factory.add_node("localhost", "up", 0)["gpus"] = 0;
  Session session(factory);
  EXPECT_THAT(session.row(1), HasSubstr("CPUs"));
  EXPECT_THAT(session.row(1), HasSubstr("12.5 used"));
  EXPECT_THAT(session.frame(), HasSubstr(" CPUS "));
  EXPECT_THAT(session.frame(), Not(HasSubstr("GPUS")));
  session.press("2");
  EXPECT_THAT(session.frame(), Not(HasSubstr("GPU")));
}

TEST(Frame, GpusThatAreKeptForSomebodyAreShown) {
  FakeFactory factory;
  factory.summary["gpus"] = {
      {{"gpu_type", "h100"}, {"all", 64}, {"used", 0}, {"free", 8}, {"reserved", 52}, {"off", 4}}};
  Session session(factory);
  EXPECT_THAT(session.row(1), HasSubstr("0 used  8 free  52 reserved  4 off"));
}

TEST(Frame, ManyTypesOfGpus) {
  FakeFactory factory = busy_factory();
  factory.summary["gpus"] = Json::array();
  for (int i = 0; i < 9; ++i)
    factory.summary["gpus"].push_back({{"gpu_type", fmt::format("type-{}", i)},
                                       {"all", 100},
                                       {"used", 10 * i},
                                       {"free", 100 - 10 * i},
                                       {"off", 0}});
  Session session(factory);
  EXPECT_THAT(session.row(3), HasSubstr("7 more"));
  EXPECT_THAT(session.row(3), HasSubstr("350 used  350 free"));
  Session small(factory, 40, 10);
  EXPECT_THAT(small.row(1), HasSubstr("9 types"));
  EXPECT_THAT(small.row(1), HasSubstr("360/900"));
  Session large(factory, 200, 60);
  EXPECT_THAT(large.frame(), HasSubstr("type-8"));
}

TEST(Frame, ATerminalThatIsTooSmallSaysSo) {
  FakeFactory factory = busy_factory();
  Session session(factory, 19, 4);
  EXPECT_THAT(session.frame(), HasSubstr("the terminal is too"));
  session.model.resize(1, 1);
  EXPECT_EQ(session.frame(), "t\n");
}

TEST(Frame, StillForAPipe) {
  FakeFactory factory = busy_factory();
  ModelOptions options;
  options.still = true;
  Session session(factory, 80, 12, options);
  EXPECT_THAT(session.frame(), Not(HasSubstr("q quit")));
  EXPECT_THAT(session.row(11), HasSubstr("8860_"));
}

TEST(Frame, AServerWithOddAnswersIsNoReasonToCrash) {
  FakeFactory factory = busy_factory();
  for (const Json& odd :
       {Json(), Json::array(), Json("text"), Json(7), Json{{"jobs", 3}, {"found", "x"}, {"gpus", {1, "a"}}},
        Json{{"found", -5},
             {"jobs", {nullptr, 1, {{"id", 3}, {"gpus", "x"}, {"array", 1}}}},
             {"now", "yesterday"},
             {"nodes", {{{"gpus", 1e300}}}},
             {"found", 1e300}}}) {
    Session session(factory);
    for (const char* pane : {"1", "2", "3"}) {
      session.press(pane);
      for (const Ask& ask : wish_of(session.model.screen())) {
        session.model.take(Answer{ask, odd, {}, {}});
        EXPECT_FALSE(session.frame().empty());
      }
      session.press(KeyCode::kEnd);
      session.press(KeyCode::kEnter);
      for (const Ask& ask : wish_of(session.model.screen())) session.model.take(Answer{ask, odd, {}, {}});
      EXPECT_FALSE(session.frame().empty());
      session.press(KeyCode::kEscape);
    }
  }
}

}  // namespace
}  // namespace gw::top
