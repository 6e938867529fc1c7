// The GPU cluster traces: Alibaba 2023 and 2020, Philly, Helios, Acme, on made-up rows and on the recorded
// files.
#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "workload/trace_test.h"

namespace gw::workload {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(AlibabaGpu2023, ReadsPods) {
  const ReadTrace read = read_text(
      "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,"
      "scheduled_time\n"
      "pod-a,6000,12288,1,460,,LS,Running,100,900,130\n"
      "pod-b,88000,327680,8,1000,V100M16|V100M32|V100M32,Burstable,Succeeded,200,900,200\n"
      "pod-c,4000,2048,0,0,,BE,Failed,250,251,250\n"
      "pod-d,4000,2048,1,1000,T4,BE,Pending,260,270,\n"
      "pod-e,4000,2048,1,1200,T4,BE,Running,260,270,260\n"
      "pod-f,4000,2048,1,1000,T4,BE,Running,260,250,260\n");
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 3U);
  EXPECT_EQ(read.stream->info().format, TraceFormat::kAlibabaGpu2023);
  const TraceJob& share = read.jobs[0];
  EXPECT_EQ(share.request.submit.count(), 100 * kNanosecondsPerSecond);  // From the log's own zero.
  EXPECT_EQ(share.request.shape.nodes, 1U);
  EXPECT_EQ(share.request.shape.gpus, 0U);
  EXPECT_EQ(share.request.shape.gpu_milli, 460U);
  EXPECT_EQ(share.request.shape.cpu_milli, 6000);
  EXPECT_EQ(share.truth.run_time, seconds(770));
  EXPECT_GT(share.request.priority, 0);
  EXPECT_EQ(read.stream->classes()[share.job_class], "LS");
  const TraceJob& whole = read.jobs[1];
  EXPECT_EQ(whole.request.shape.gpus, 8U);
  EXPECT_EQ(whole.request.shape.gpu_types, 3U);
  EXPECT_THAT(read.stream->gpu_types(), ElementsAre("V100M16", "V100M32", "T4"));
  EXPECT_EQ(read.jobs[2].request.shape.total_gpu_milli(), 0);
  EXPECT_EQ(read.jobs[2].truth.outcome, JobOutcome::kFailed);
  EXPECT_TRUE(read.jobs[2].request.preemptible);
  const auto& skipped = read.stream->counts().skipped;
  EXPECT_EQ(skipped.at("never scheduled: how long it would have run is not known").first, "log:5");
  EXPECT_EQ(skipped.at("gpu_milli is not between 0 and 1000").first, "log:6");
  EXPECT_EQ(skipped.at("ends before it starts").first, "log:7");
}

TEST(AlibabaGpu2023, SaysWhenAListCannotBeReplayed) {
  EXPECT_THAT(read_text("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1,1,1,1000\n").error,
              HasSubstr("creation_time"));
  EXPECT_THAT(read_text("sn,cpu_milli,memory_mib,gpu,model\nn,1,1,1,T4\n").error, HasSubstr("list of nodes"));
}

TEST(AlibabaGpu2023, RecordedPods) {
  for (const char* name : {"openb_pod_list_default.csv", "openb_pod_list_gpuspec33.csv"}) {
    GW_NEED_RECORDED(path, name);
    TraceOptions strict;
    strict.strict = true;
    const ReadTrace read = read_all(open_trace(path, strict));
    ASSERT_EQ(read.error, "");
    EXPECT_EQ(read.stream->counts().rows, 8152U);
    EXPECT_EQ(read.jobs.size(), 7255U);
    EXPECT_EQ(
        read.stream->counts().skipped.at("never scheduled: how long it would have run is not known").count,
        897U);
    EXPECT_EQ(read.stream->gpu_types().size(),
              std::string_view(name).find("gpuspec") == std::string_view::npos ? 0U : 7U);
  }
}

TEST(AlibabaPai2020, ReadsTasksWithAndWithoutTheHeader) {
  const std::string rows =
      "j1,tensorflow,1.0,Terminated,1000.0,1600.0,600.0,29.296875,50.0,MISC\n"
      "j2,worker,4.0,Failed,1200.0,1300.0,400.0,10,100.0,T4\n"
      "j3,worker,3.0,Terminated,1250.0,1300.0,400.0,10,50.0,T4\n"
      "j4,ps,2.0,Terminated,1260.0,1300.0,400.0,10,,\n"
      "j5,worker,2.0,Terminated,1270.0,1300.0,400.0,10,800.0,V100\n"
      "j6,worker,1.0,Running,1280.0,,400.0,10,100.0,V100\n"
      "j7,worker,1.0,Waiting,,,400.0,10,100.0,V100\n"
      "j8,worker,1.0,Terminated,1400.0,1390.0,400.0,10,100.0,V100\n";
  const std::string with_header =
      "job_name,task_name,inst_num,status,start_time,end_time,plan_cpu,plan_mem,plan_gpu,gpu_type\n" + rows;
  const ReadTrace bare = read_text(rows);
  const ReadTrace named = read_text(with_header);
  for (const ReadTrace* read : {&bare, &named}) {
    ASSERT_EQ(read->error, "");
    ASSERT_EQ(read->jobs.size(), 5U);
    const std::vector<TraceJob>& jobs = read->jobs;
    EXPECT_EQ(jobs[0].id, "j1/tensorflow");
    EXPECT_EQ(jobs[0].request.shape.gpu_milli, 500U);
    EXPECT_EQ(jobs[0].request.shape.cpu_milli, 6000);
    EXPECT_EQ(jobs[0].request.shape.memory_mib, 30'000);
    EXPECT_EQ(jobs[0].truth.run_time, seconds(600));
    EXPECT_EQ(jobs[1].request.shape.nodes, 0U);
    EXPECT_EQ(jobs[1].request.shape.gpus, 4U);
    EXPECT_EQ(jobs[1].truth.outcome, JobOutcome::kFailed);
    EXPECT_EQ(jobs[2].request.shape.gpus, 2U);  // 150 % rounded up.
    EXPECT_EQ(jobs[3].request.shape.total_gpu_milli(), 0);
    EXPECT_EQ(jobs[3].request.shape.nodes, 2U);
    EXPECT_EQ(jobs[4].request.shape.nodes, 2U);
    EXPECT_EQ(jobs[4].request.shape.gpus, 8U);
    EXPECT_EQ(total(read->stream->counts().skipped), 3U);
    EXPECT_EQ(read->stream->counts().rows, 8U);
  }
  EXPECT_THAT(read_text("j1,i1,u1,Terminated,1.0,2.0\n").error, HasSubstr("pai_task_table.csv"));
}

TEST(AlibabaPai2020, ReadsTheSimulatorsSamples) {
  const ReadTrace read = read_text(
      "job_id,num_inst,submit_time,num_cpu,num_gpu,gpu_type,duration,user\n"
      "9,1,50,6,0.5,T4,400,ann\n"
      "8,2,20,6.0,1.0,CPU,300.0,bob\n");
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 2U);
  EXPECT_EQ(read.jobs[0].id, "8");
  EXPECT_EQ(read.jobs[0].request.shape.gpus, 2U);
  EXPECT_EQ(read.jobs[0].request.shape.gpu_types, 0U);
  EXPECT_EQ(read.jobs[1].request.shape.gpu_milli, 500U);
  EXPECT_EQ(read.stream->tenants().path(read.jobs[1].request.tenant), "ann");
}

TEST(Philly, ReadsPolluxTable) {
  const ReadTrace read = read_text(
      "timestamp,duration,num_gpus,gpu_time,cluster\n"
      "2017-10-09 07:01:55,66.0,1,66.0,vc1\n"
      "2017-10-09 06:00:00,100.5,16,1608.0,vc2\n"
      "2017-10-09 06:00:00,-1,16,1608.0,vc2\n"
      "2017-10-09 06:00:00,10,0,0,vc2\n");
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 2U);
  EXPECT_EQ(read.jobs[0].id, "2");
  EXPECT_EQ(read.jobs[0].request.submit, Instant{});
  EXPECT_EQ(read.jobs[0].request.shape.gpus, 16U);
  EXPECT_EQ(read.jobs[0].truth.run_time, Nanoseconds{100'500'000'000});
  EXPECT_EQ(read.jobs[1].request.submit.count(), 3715 * kNanosecondsPerSecond);
  EXPECT_EQ(read.stream->tenants().path(read.jobs[1].request.tenant), "vc1");
  EXPECT_EQ(total(read.stream->counts().skipped), 2U);
}

constexpr std::string_view kPhillyLog = R"([
 {"status": "Pass", "vc": "vc1", "jobid": "app_1", "user": "u1", "submitted_time": "2017-10-07 01:11:39",
  "attempts": [
    {"start_time": "2017-10-07 01:12:00", "end_time": "2017-10-07 01:13:00", "detail": [{"ip": "m1", "gpus": ["gpu0"]}]},
    {"start_time": "2017-10-07 01:14:00", "end_time": "2017-10-07 02:14:00",
     "detail": [{"ip": "m1", "gpus": ["gpu0", "gpu1"]}, {"ip": "m}2", "gpus": ["gpu4", "gpu5"]}]}]},
 {"status": "Killed", "vc": "vc1", "jobid": "app_2", "user": "u2", "submitted_time": "2017-10-07 01:11:00", "attempts": []},
 {"status": "Failed", "vc": "vc2", "jobid": "app_3", "user": "u2", "submitted_time": "2017-10-07 01:00:00",
  "attempts": [{"start_time": "2017-10-07 01:12:00", "end_time": "2017-10-07 01:13:00",
                "detail": [{"ip": "m1", "gpus": ["gpu0"]}, {"ip": "m2", "gpus": ["gpu0", "gpu1"]}]}]},
 {"status": "Pass", "vc": "vc2", "jobid": "app_4", "user": "u2", "submitted_time": "2017-10-07 01:00:00",
  "attempts": [{"start_time": "2017-10-07 01:12:00", "end_time": null, "detail": [{"ip": "m1", "gpus": ["gpu0"]}]}]},
 {"status": "Pass", "vc": "vc2", "jobid": "app_5" "user"}
])";

TEST(Philly, ReadsThePublishedJobLog) {
  const ReadTrace read = read_text(kPhillyLog);
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 2U);
  const TraceJob& gang = read.jobs[1];
  EXPECT_EQ(gang.id, "app_1");
  EXPECT_EQ(gang.request.submit.count(), 699 * kNanosecondsPerSecond);
  EXPECT_EQ(gang.request.shape.nodes, 2U);
  EXPECT_EQ(gang.request.shape.gpus, 2U);
  EXPECT_EQ(gang.truth.run_time, seconds(3660));
  EXPECT_EQ(read.stream->tenants().path(gang.request.tenant), "vc1/u1");
  EXPECT_EQ(read.jobs[0].request.shape.nodes, 0U);
  EXPECT_EQ(read.jobs[0].request.shape.gpus, 3U);
  EXPECT_EQ(read.jobs[0].truth.outcome, JobOutcome::kFailed);
  const RowCounts& counts = read.stream->counts();
  EXPECT_EQ(counts.rows, 5U);
  EXPECT_EQ(counts.skipped.at("object is not JSON").first, "log:13");
  EXPECT_EQ(counts.skipped.at("never scheduled: how long it would have run is not known").count, 1U);
  EXPECT_EQ(counts.skipped.at("still running: its run time is not known yet").count, 1U);
  EXPECT_THAT(read_text(kPhillyLog.substr(0, 300)).error, HasSubstr("log:2: this object has no end"));
  const std::string_view between = kPhillyLog.substr(0, kPhillyLog.find(",\n {\"status\": \"Killed\""));
  for (const std::string_view cut : {between, kPhillyLog.substr(0, between.size() + 1)}) {
    EXPECT_THAT(read_text(cut).error, HasSubstr("log:6: the array that begins in line 1 has no end"));
  }
  const std::string whole = std::string(between) + "\n]\n";
  EXPECT_EQ(read_text(whole).error, "");
  const std::string lines(between.substr(1));  // Objects without an array around them.
  EXPECT_EQ(read_text(lines, {.format = TraceFormat::kPhilly}).error, "");
}

TEST(Philly, RecordedTable) {
  GW_NEED_RECORDED(path, "philly_pollux_82k.csv");
  const ReadTrace read = read_all(open_trace(path));
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 82247U);
  EXPECT_FALSE(read.stream->info().sorted);
  for (std::size_t i = 1; i < read.jobs.size(); ++i) {
    ASSERT_LE(read.jobs[i - 1].request.submit, read.jobs[i].request.submit);
  }
  EXPECT_EQ(read.jobs[0].request.submit, Instant{});
  EXPECT_EQ(read.stream->tenants().size(), 16U);  // 15 virtual clusters and the root.
}

TEST(Philly, RecordedTableEqualsItsCanonicalForm) {
  GW_NEED_RECORDED(table, "philly_pollux_82k.csv");
  GW_NEED_RECORDED(canonical, "canonical/philly82k.swf");
  const ReadTrace a = read_all(open_trace(table));
  const ReadTrace b = read_all(open_trace(canonical));
  ASSERT_EQ(a.jobs.size(), b.jobs.size());
  for (std::size_t i = 0; i < a.jobs.size(); ++i) {
    ASSERT_EQ(a.jobs[i].request.submit, b.jobs[i].request.submit) << i;
    ASSERT_EQ(a.jobs[i].request.shape, b.jobs[i].request.shape) << i;
  }
}

TEST(Helios, ReadsClusterLogs) {
  const ReadTrace read = read_text(
      "job_id,user,vc,jobname,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"
      "11,ua,vcA,\"train, again\",16,64,2,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:42:01,2020-06-09 "
      "18:52:01,600,60\n"
      "12,ub,vcB,x,0,16,1,TIMEOUT,2020-06-09 18:41:27,2020-06-09 18:41:27,2020-06-09 18:45:36,249,0\n"
      "13,ub,vcB,x,3,16,2,NODE_FAIL,2020-06-09 18:41:28,2020-06-09 18:41:28,2020-06-09 18:45:36,248,0\n"
      "14,ub,vcB,x,1,16,1,CANCELLED,2020-06-09 18:41:29,,,0,0\n"
      "15,ub,vcB,x,1,16,1,SLEEPING,2020-06-09 18:41:29,2020-06-09 18:41:29,2020-06-09 18:45:36,248,0\n");
  ASSERT_EQ(read.error, "");
  EXPECT_EQ(read.stream->info().format, TraceFormat::kHelios);
  ASSERT_EQ(read.jobs.size(), 3U);
  EXPECT_EQ(read.jobs[0].request.shape.nodes, 2U);
  EXPECT_EQ(read.jobs[0].request.shape.gpus, 8U);
  EXPECT_EQ(read.jobs[0].request.shape.cpu_milli, 32'000);
  EXPECT_EQ(read.stream->tenants().path(read.jobs[0].request.tenant), "vcA/ua");
  EXPECT_EQ(read.jobs[1].request.shape.nodes, 1U);
  EXPECT_EQ(read.jobs[1].request.shape.gpus, 0U);
  EXPECT_EQ(read.jobs[1].truth.outcome, JobOutcome::kTimeout);
  EXPECT_EQ(read.jobs[2].request.shape.nodes, 0U);  // 3 GPUs on 2 nodes.
  EXPECT_EQ(read.jobs[2].request.shape.gpus, 3U);
  EXPECT_EQ(read.stream->counts().skipped.at("cancelled before it started").first, "log:5");
  EXPECT_EQ(read.stream->counts().skipped.at("state is not a known one").first, "log:6");
}

TEST(Helios, CanBeReadForAMachineThatIsOnlyANumberOfProcessors) {
  const ReadTrace read = read_text(
      "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"
      "11,ua,vcA,16,64,2,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:42:01,2020-06-09 18:52:01,600,60\n"
      "12,ub,vcB,0,32,2,COMPLETED,2020-06-09 18:41:27,2020-06-09 18:41:27,2020-06-09 18:45:36,249,0\n",
      {.flat = true});
  ASSERT_EQ(read.jobs.size(), 2U);
  EXPECT_EQ(read.jobs[0].request.shape, (Shape{.nodes = 0, .gpus = 16}));
  EXPECT_EQ(read.jobs[1].request.shape, (Shape{.nodes = 1, .gpus = 0}));
}

TEST(Acme, ReadsBothClusters) {
  const ReadTrace seren = read_text(
      "job_id,user,node_num,gpu_num,cpu_num,type,state,submit_time,start_time,end_time,duration,queue,gpu_"
      "time\n"
      "5,ua,1,8,128,Pretrain,FAILED,2023-03-01 00:18:22+08:00,2023-03-01 00:18:54+08:00,2023-03-01 "
      "00:20:51+08:00,117,32,936.0\n");
  ASSERT_EQ(seren.error, "");
  ASSERT_EQ(seren.jobs.size(), 1U);
  EXPECT_EQ(seren.stream->info().format, TraceFormat::kAcme);
  EXPECT_EQ(seren.stream->classes()[seren.jobs[0].job_class], "Pretrain");
  EXPECT_EQ(seren.stream->info().zero_unix_s, 1677601102);
  const ReadTrace kalos = read_text(
      "job_id,user,node_num,gpu_num,cpu_num,mem_per_pod_GB,shared_mem_per_pod,type,state,submit_time,start_"
      "time,end_time,"
      "fail_time,stop_time,duration,queue,gpu_time\n"
      "dlc1,ub,8,64,960,1000,100.0,Other,CANCELLED,2023-05-17 11:28:42+00:00,2023-05-17 11:28:54+00:00,"
      "2023-05-17 11:30:04+00:00,,2023-05-17 11:30:04+00:00,82,12.0,5248.0\n");
  ASSERT_EQ(kalos.error, "");
  ASSERT_EQ(kalos.jobs.size(), 1U);
  EXPECT_EQ(kalos.jobs[0].truth.run_time, seconds(70));  // Its `duration` counts the waiting too.
  EXPECT_EQ(kalos.jobs[0].request.shape.memory_mib, 1'024'000);
  EXPECT_EQ(kalos.jobs[0].request.shape.gpus, 8U);
}

TEST(Formats, AreFoundOutOrNamed) {
  for (const TraceFormatName& format : trace_format_names()) {
    EXPECT_EQ(trace_format_by_name(format.name), format.format);
    EXPECT_EQ(trace_format_name(format.format), format.name);
  }
  EXPECT_EQ(trace_format_by_name("excel"), std::nullopt);
  EXPECT_THAT(read_text("").error, HasSubstr("log: is empty"));
  EXPECT_THAT(read_text("\x1f\x8b\x08rest").error, HasSubstr("zcat log | gw replay -"));
  EXPECT_THAT(read_text("when,what\n1,2\n").error,
              testing::AllOf(HasSubstr("name one of"), HasSubstr("alibaba-pai-2020")));
  TraceOptions named;
  named.format = TraceFormat::kHelios;
  EXPECT_THAT(read_text("when,what\n1,2\n", named).error, HasSubstr("job_id, gpu_num"));
}

TEST(Tables, ALogHasDatesOrNumbers) {
  constexpr const char* kMixed = "dates and numbers of seconds are mixed";
  const std::string dates =
      "timestamp,duration,num_gpus,gpu_time,cluster\n"
      "2017-10-09 06:00:00,5,1,5,vc1\n"
      "3600,5,1,5,vc1\n"
      "2017-10-09 07:00:00,5,1,5,vc1\n";
  const ReadTrace read = read_text(dates);
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 2U);
  EXPECT_EQ(read.jobs[1].request.submit.count(), 3600 * kNanosecondsPerSecond);
  EXPECT_EQ(read.stream->counts().skipped.at(kMixed).first, "log:3");
  TraceOptions strict;
  strict.strict = true;
  EXPECT_THAT(read_text(dates, strict).error, testing::AllOf(HasSubstr("log:3: "), HasSubstr(kMixed)));

  // A row that makes no sense fixes nothing; nor may one row have both.
  const std::string numbers =
      "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"
      "1,u,v,0,0,1,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:01,2020-06-09 18:41:00,1,0\n"
      "2,u,v,8,32,1,COMPLETED,100,100,200,100,0\n"
      "3,u,v,8,32,1,COMPLETED,200,2020-06-09 18:41:01,2020-06-09 18:42:01,60,0\n"
      "4,u,v,8,32,1,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:01,2020-06-09 18:42:01,60,0\n";
  const ReadTrace later = read_text(numbers);
  ASSERT_EQ(later.error, "");
  ASSERT_EQ(later.jobs.size(), 1U);
  EXPECT_EQ(later.jobs[0].request.submit.count(), 100 * kNanosecondsPerSecond);
  EXPECT_EQ(later.stream->counts().skipped.at(kMixed).count, 2U);
}

/// A text that is another one from the `change`-th time on that it is read from its beginning.
class ChangingSource final : public ByteSource {
 public:
  ChangingSource(std::string first, std::string then, int change)
      : text_(std::move(first)), then_(std::move(then)), change_(change) {}
  Result<std::size_t> read(std::span<char> into) override {
    const std::size_t count = text_.copy(into.data(), into.size(), at_);
    at_ += count;
    return count;
  }
  Result<void> rewind() override {
    at_ = 0;
    if (--change_ == 0) text_ = then_;
    return {};
  }
  [[nodiscard]] const std::string& name() const override { return name_; }

 private:
  std::string text_;
  std::string then_;
  int change_;
  std::size_t at_ = 0;
  std::string name_ = "log";
};

TEST(SecondPass, MustSeeWhatTheFirstSaw) {
  constexpr int kSecondPass = 3;  // After finding out the format, and the first pass.
  const std::string swf = "1 0 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n";
  const std::string late = "2 9 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n";
  const std::string header = "timestamp,duration,num_gpus,gpu_time,cluster\n";
  for (const auto& [whole, other] :
       {std::pair{swf + late, swf}, std::pair{late + swf, late}, std::pair{swf, swf + late},
        std::pair{header + "1,5,1,5,v\n2,5,1,5,v\n", header + "1,5,1,5,v\n"},
        std::pair{header + "2,5,1,5,v\n1,5,1,5,v\n", header + "2,5,1,5,v\n"}}) {
    const ReadTrace read =
        read_all(open_trace(std::make_unique<ChangingSource>(whole, other, kSecondPass), TraceOptions{}));
    EXPECT_THAT(read.error, testing::AllOf(HasSubstr("log: had "), HasSubstr("rows at the first pass")))
        << whole;
    EXPECT_EQ(
        read_all(open_trace(std::make_unique<ChangingSource>(whole, whole, kSecondPass), TraceOptions{}))
            .error,
        "");
  }
}

TEST(SecondPass, AFileCutWithinItsLastRowIsToldToo) {
  const std::string path = testing::TempDir() + "gigawerk-cut-" + std::to_string(::getpid());
  const std::string row = "1 0 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 -1 -1 -1 -1\n";
  std::ofstream(path) << row << row;
  Result<std::unique_ptr<TraceStream>> opened = open_trace(path);
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(row.size() + 20)), 0);
  EXPECT_THAT(read_all(std::move(opened)).error, HasSubstr("bytes when it was read first and"));
  ::unlink(path.c_str());
}

TEST(Pipes, AreReadToTheirEndAndTwice) {
  const std::string path = testing::TempDir() + "gigawerk-fifo-" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  std::thread writer([&path] {
    std::ofstream out(path);
    out << "timestamp,duration,num_gpus,gpu_time,cluster\n";
    for (int i = 0; i < 50'000; ++i) out << 100'000 - i << ",5,1,5,vc" << i % 3 << '\n';
  });
  const ReadTrace read = read_all(open_trace(path));
  writer.join();
  ::unlink(path.c_str());
  ASSERT_EQ(read.error, "");
  ASSERT_EQ(read.jobs.size(), 50'000U);
  EXPECT_FALSE(read.stream->info().sorted);
  EXPECT_EQ(read.jobs.front().id, "50000");
}

TEST(GpuTraces, GarbageNeverCrashesAndNothingIsLost) {
  static constexpr std::string_view kHeaders[] = {
      "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,"
      "scheduled_time\n",
      "job_name,task_name,inst_num,status,start_time,end_time,plan_cpu,plan_mem,plan_gpu,gpu_type\n",
      "timestamp,duration,num_gpus,gpu_time,cluster\n",
      "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,queue\n"};
  static constexpr std::string_view kPieces[] = {",",         ",",
                                                 ",",         ",",
                                                 "\n",        "1",
                                                 "0",         "-1",
                                                 "1000.0",    "\"",
                                                 "T4|",       "Failed",
                                                 "RUNNING",   "nan",
                                                 "1e9",       "9999999999999999",
                                                 "\r\n",      "2020-06-09 18:41:01",
                                                 "COMPLETED", "Terminated",
                                                 "0.5",       "2147483648"};
  rc::check([](const std::vector<std::uint8_t>& choices) {
    for (const std::string_view header : kHeaders) {
      std::string log(header);
      for (const std::uint8_t choice : choices) log += kPieces[choice % std::size(kPieces)];
      const ReadTrace read = read_text(log);
      if (holds_no_jobs(read)) continue;
      RC_ASSERT(read.error.empty());
      RC_ASSERT(read.stream->counts().accepted == read.jobs.size());
      RC_ASSERT(read.stream->counts().accepted + total(read.stream->counts().skipped) ==
                read.stream->counts().rows);
    }
  });
}

}  // namespace
}  // namespace gw::workload
