// Command lines that put a job's command into a view of its own (bubblewrap) or a container (podman, docker).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gw::live {

/// What one task is, whatever it is put into.
struct IsolatedTask {
  std::vector<std::string> command;                              ///< Program and arguments.
  std::vector<std::pair<std::string, std::string>> environment;  ///< Of the job.
  std::string working_folder;                                    ///< Writable.
  std::string script;                                            ///< File to make visible; empty: none.
  std::vector<std::uint32_t> gpu_devices;                        ///< Numbers of the device nodes.
};

/// What is to be run in its place. `input` goes to descriptor 3: variables may be secrets, and command lines
/// are open to all.
struct IsolatedCommand {
  std::vector<std::string> command;
  std::string input;
};

struct ViewOptions {
  std::string tool;                            ///< Path of bwrap.
  std::vector<std::string> read_only_folders;  ///< Beside the system's own.
  std::vector<std::string> writable_folders;
  bool network = true;
  bool shared_memory = false;  ///< Tasks that talk through /dev/shm and each other's processes.
};

/// The system read-only; /tmp, /proc and /dev of its own, with the job's GPUs and no others; the working
/// folder writable; nothing else of the machine.
IsolatedCommand view_command(const IsolatedTask& task, const ViewOptions& options);

enum class ContainerTool : std::uint8_t { kPodman, kDocker };

struct ContainerOptions {
  ContainerTool kind = ContainerTool::kPodman;
  std::string tool;  ///< Path of podman or docker.
  std::string name;  ///< Of the container; unique on the machine.
  std::string image;
  std::string gpus;                 ///< As visible_gpus gives them; empty: none.
  std::int64_t cpu_milli = 0;       ///< 0 = no limit.
  std::int64_t memory_mib = 0;      ///< 0 = no limit.
  std::uint64_t processes_max = 0;  ///< 0 = no limit.
  bool set_user = false;            ///< docker: run as `user` and `group`.
  std::uint32_t user = 0;
  std::uint32_t group = 0;
};

/// An Error where the image's name or a variable cannot be handed over.
Result<IsolatedCommand> container_command(const IsolatedTask& task, const ContainerOptions& options);
/// What removes the container when its client could not.
std::vector<std::string> container_cleanup(const ContainerOptions& options);

/// Path of a program in the system's folders; empty: there is none.
std::string find_program(const std::string& name);

}  // namespace gw::live
