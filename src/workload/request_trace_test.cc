// Recorded requests in the three published formats, and rows that make no sense.
#include "workload/request_trace.h"

#include "workload/trace_test.h"

namespace gw::workload {
namespace {

Result<RequestTrace> read(std::string_view text, bool strict = false) {
  const auto source = memory_source(text, "log");
  return read_requests(*source, strict);
}

TEST(RequestTrace, AzureIsReadInTheOrderOfArrival) {
  const auto trace = read(
      "TIMESTAMP,ContextTokens,GeneratedTokens\n"
      "2023-11-16 18:15:50.9951690,396,109\n"
      "2023-11-16 18:15:46.6805900,374,44\n"
      "2023-11-16 18:15:51.6805900,879,55\n");
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->format, RequestFormat::kAzure);
  ASSERT_EQ(trace->requests.size(), 3U);
  EXPECT_EQ(trace->requests[0].arrival, Nanoseconds{});
  EXPECT_EQ(trace->requests[0].input, 374U);
  EXPECT_EQ(trace->requests[0].output, 44U);
  EXPECT_EQ(trace->requests[1].arrival, Nanoseconds{4'314'579'000});
  EXPECT_EQ(trace->requests[2].arrival, Nanoseconds{5'000'000'000});
  EXPECT_EQ(trace->counts.accepted, 3U);
}

TEST(RequestTrace, FailuresOfBurstGptAreLeftOut) {
  const auto trace = read(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,ChatGPT,472,18,490,Conversation log\n"
      "45.5,GPT-4,1087,0,1087,API log\n"
      "118,GPT-4,417,276,693,Conversation log\n");
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->format, RequestFormat::kBurstGpt);
  ASSERT_EQ(trace->requests.size(), 2U);
  EXPECT_EQ(trace->requests[1].arrival, Nanoseconds{113'000'000'000});
  ASSERT_EQ(trace->counts.skipped.size(), 1U);
  EXPECT_EQ(trace->counts.skipped.begin()->first, "no answer: the request failed");
  EXPECT_EQ(trace->counts.skipped.begin()->second.first, "log:3");
}

TEST(RequestTrace, MooncakeTellsWhichBeginningsAreKnown) {
  const auto trace = read(
      R"({"timestamp": 0, "input_length": 1500, "output_length": 500, "hash_ids": [0, 1, 2]}
{"timestamp": 27482, "input_length": 1400, "output_length": 490, "hash_ids": [0, 1, 7]}
{"timestamp": 30000, "input_length": 1000, "output_length": 4, "hash_ids": [9, 1]}
{"timestamp": 30000, "input_length": 900, "output_length": 4, "hash_ids": [0, 1]}
)");
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->format, RequestFormat::kMooncake);
  ASSERT_EQ(trace->requests.size(), 4U);
  EXPECT_EQ(trace->requests[0].repeated, 0U);
  EXPECT_EQ(trace->requests[1].repeated, 1024U);
  EXPECT_EQ(trace->requests[1].arrival, Nanoseconds{27'482'000'000});
  EXPECT_EQ(trace->requests[2].repeated, 0U);  // Block 1 follows another beginning.
  EXPECT_EQ(trace->requests[3].repeated, 899U);
}

TEST(RequestTrace, SenselessRowsAreCountedOrRefused) {
  constexpr std::string_view kText =
      "Timestamp,Request tokens,Response tokens\n"
      "yesterday,1,1\n"
      "1,0,1\n"
      "1,1,-1\n"
      "1,1\n"
      "2,10,10\n";
  const auto trace = read(kText);
  ASSERT_TRUE(trace.has_value());
  EXPECT_EQ(trace->requests.size(), 1U);
  EXPECT_EQ(total(trace->counts.skipped), 4U);
  const auto strict = read(kText, true);
  ASSERT_FALSE(strict.has_value());
  EXPECT_NE(strict.error().message.find("log:2: time stamp is not a number of seconds"), std::string::npos);
  const auto lines = read(
      "{\"timestamp\": -1, \"input_length\": 1, \"output_length\": 1}\n"
      "{\"timestamp\": 1, \"input_length\": 1.5, \"output_length\": 1}\n"
      "{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1, \"hash_ids\": [\"a\"]}\n");
  ASSERT_FALSE(lines.has_value());
  EXPECT_NE(lines.error().message.find("holds no requests"), std::string::npos);
}

TEST(RequestTrace, OtherTablesSayWhatCanBeRead) {
  for (const std::string_view text : {"", "a,b,c\n1,2,3\n", "timestamp,contexttokens\n"}) {
    const auto trace = read(text);
    ASSERT_FALSE(trace.has_value()) << text;
    EXPECT_NE(trace.error().message.find("Mooncake"), std::string::npos);
  }
  EXPECT_FALSE(read("{\"timestamp\": 1").has_value());
}

TEST(RequestTrace, RecordedTracesAreReadWhole) {
  struct Recorded {
    const char* file;
    std::size_t requests;
    double input;  // Mean tokens.
    double output;
  };
  // The files' own sums; Azure's means are also in the trace's README.
  for (const Recorded& each : {Recorded{"AzureLLMInferenceTrace_conv.csv", 19366, 1154.7, 211.1},
                               Recorded{"AzureLLMInferenceTrace_code.csv", 8819, 2047.8, 27.9},
                               Recorded{"mooncake_conversation_trace.jsonl", 12031, 12035.1, 342.6}}) {
    const std::string path = recorded(each.file);
    if (path.empty()) GTEST_SKIP() << each.file << " is absent; set GIGAWERK_DATA to its folder";
    const auto source = open_file(path);
    ASSERT_TRUE(source.has_value());
    const auto trace = read_requests(**source, true);
    ASSERT_TRUE(trace.has_value()) << trace.error().message;
    EXPECT_EQ(trace->requests.size(), each.requests);
    double input = 0;
    double output = 0;
    for (const TraceRequest& request : trace->requests) {
      input += request.input;
      output += request.output;
    }
    EXPECT_NEAR(input / static_cast<double>(each.requests), each.input, 0.1) << each.file;
    EXPECT_NEAR(output / static_cast<double>(each.requests), each.output, 0.1) << each.file;
  }
}

}  // namespace
}  // namespace gw::workload
