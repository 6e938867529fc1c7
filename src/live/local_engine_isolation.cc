// Arguments of bwrap, podman and docker.
#include "live/local_engine_isolation.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string_view>

namespace gw::live {

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  for (const char* folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    if (std::string path = folder + name; ::access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

IsolatedCommand view_command(const IsolatedTask& task, const ViewOptions& options) {
  IsolatedCommand result;
  const auto add = [&](std::initializer_list<std::string_view> arguments) {
    for (const std::string_view argument : arguments) {
      result.input += argument;
      result.input += '\0';
    }
  };
  add({"--die-with-parent", "--new-session", "--cap-drop", "ALL", "--unshare-cgroup-try"});
  if (!options.network) add({"--unshare-net"});
  for (const char* folder : {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt",
                             "/run/systemd/resolve", "/sys"})
    add({"--ro-bind-try", folder, folder});
  add({"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/var/tmp"});
  if (options.shared_memory) {
    add({"--bind-try", "/dev/shm", "/dev/shm"});
  } else {
    add({"--unshare-pid", "--unshare-ipc"});
  }
  if (!task.gpu_devices.empty()) {
    for (const char* device : {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
                               "/dev/nvidia-modeset", "/dev/nvidia-caps", "/dev/kfd"})
      add({"--dev-bind-try", device, device});
    constexpr std::uint32_t kFirstRenderNode = 128;
    for (const std::uint32_t number : task.gpu_devices) {
      for (const std::string& device : {fmt::format("/dev/nvidia{}", number),
                                        fmt::format("/dev/dri/renderD{}", kFirstRenderNode + number)})
        add({"--dev-bind-try", device, device});
    }
  }
  for (const std::string& folder : options.read_only_folders) add({"--ro-bind-try", folder, folder});
  for (const std::string& folder : options.writable_folders) add({"--bind-try", folder, folder});
  add({"--bind", task.working_folder, task.working_folder, "--chdir", task.working_folder});
  if (!task.script.empty()) add({"--ro-bind", task.script, task.script});
  add({"--clearenv"});
  for (const auto& [name, value] : task.environment) add({"--setenv", name, value});

  result.command = {options.tool, "--args", "3", "--"};
  result.command.insert(result.command.end(), task.command.begin(), task.command.end());
  return result;
}

Result<IsolatedCommand> container_command(const IsolatedTask& task, const ContainerOptions& options) {
  if (options.image.empty()) return fail("the job runs in a container, but names no image");
  if (options.image.starts_with('-') || options.image.find_first_of(" \t\n\r") != std::string::npos)
    return fail(fmt::format("'{}' is no name of an image", options.image));
  IsolatedCommand result;
  for (const auto& [name, value] : task.environment) {
    if (value.find_first_of("\n\r") != std::string::npos ||
        name.find_first_of(" \t\n\r#") != std::string::npos)
      return fail(
          fmt::format("the variable '{}' cannot be handed to a container: it has a line break", name));
    result.input += fmt::format("{}={}\n", name, value);
  }
  if (result.input.empty()) result.input = "\n";
  std::vector<std::string>& command = result.command;
  const std::string& folder = task.working_folder;
  for (const std::string& path : {folder, task.script}) {
    if (path.find(':') != std::string::npos)
      return fail(fmt::format("a container cannot be given '{}': it has a colon", path));
  }
  command = {options.tool,          "run",        "--rm",      "--name", options.name,
             "--network",           "host",       "--workdir", folder,   "--volume",
             folder + ":" + folder, "--env-file", "/dev/fd/3"};
  const auto add = [&](std::initializer_list<std::string> arguments) {
    command.insert(command.end(), arguments);
  };
  if (options.cpu_milli > 0)
    add({"--cpus", fmt::format("{}.{:03}", options.cpu_milli / 1000, options.cpu_milli % 1000)});
  if (options.memory_mib > 0) add({"--memory", fmt::format("{}m", options.memory_mib)});
  if (options.processes_max > 0) add({"--pids-limit", fmt::format("{}", options.processes_max)});
  if (options.kind == ContainerTool::kPodman) {
    for (std::string_view left = options.gpus; !left.empty();) {
      const std::size_t end = left.find(',');
      add({"--device", fmt::format("nvidia.com/gpu={}", left.substr(0, end))});
      left = end == std::string_view::npos ? "" : left.substr(end + 1);
    }
  } else {
    if (!options.gpus.empty()) add({"--gpus", fmt::format("\"device={}\"", options.gpus)});
    // The image is the job owner's, and may hold programs that become root: with folders of this machine at
    // hand.
    if (options.set_user)
      add({"--user", fmt::format("{}:{}", options.user, options.group), "--security-opt",
           "no-new-privileges"});
  }
  if (!task.script.empty()) add({"--volume", fmt::format("{}:{}:ro", task.script, task.script)});
  command.push_back(options.image);
  command.insert(command.end(), task.command.begin(), task.command.end());
  return result;
}

std::vector<std::string> container_cleanup(const ContainerOptions& options) {
  std::vector<std::string> command = {options.tool, "rm", "--force"};
  if (options.kind == ContainerTool::kPodman) command.insert(command.end(), {"--time", "0"});
  command.push_back(options.name);
  return command;
}

}  // namespace gw::live
