// How gw reads its command line, runs a command and reports what went wrong.
#include "cli/app.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/suggest.h"
#include "cli/version.h"
#include "files/output_file.h"
#include "report/text.h"

namespace gw {
namespace {

bool shows_colour(int descriptor) {
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: any value but the empty one.
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::strcmp(terminal, "dumb") == 0) return false;
  return isatty(descriptor) == 1;
}

/// Help as CLI11 lays it out, but a value's name without CLI11's own types ("FILE", not "TEXT:FILE"), a
/// default where a reader looks for it, and headings in bold where colour is shown.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(bool colour) : colour_(colour) {
    column_width(34);
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
    help.erase(help.find_last_not_of('\n') + 1);  // CLI11 ends with as many empty lines as there are parts.
    return help + "\n";
  }

  std::string make_group(std::string group, bool positional,
                         std::vector<const CLI::Option*> options) const override {
    return CLI::Formatter::make_group(colour_ ? "\033[1m" + group + "\033[0m" : group, positional,
                                      std::move(options));
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_positional() || !takes_value(*option)) return "";
    std::string text = " " + value_name(*option);
    if (option->get_expected_max() == CLI::detail::expected_max_vector_size) text += " ...";
    return text;
  }

  std::string make_option_desc(const CLI::Option* option) const override {
    std::string text = option->get_description();
    if (option->get_required() && option->nonpositional()) text += " (required)";
    if (!option->get_default_str().empty()) text += fmt::format(" (default: {})", option->get_default_str());
    return text;
  }

 private:
  bool colour_;
};

const CLI::App* deepest_command(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return command;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

/// Once a command is chosen, a later word that is also a command's name is an argument: `gw help version`.
void allow_one_command(CLI::App& app) {
  app.require_subcommand(0, 1);
  for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    allow_one_command(*command);
}

/// Says what is wrong with the word that no command and no option took.
std::string unexpected_word(const CLI::App& command, const std::string& word) {
  const bool option = word.starts_with("-") && word.size() > 1;
  const std::vector<std::string> commands = command_names(command);
  const std::string name = option ? word.substr(0, word.find('=')) : word;
  std::string message;
  if (option && command.get_parent() != nullptr && command.get_option_no_throw(name) != nullptr)
    return fmt::format("options of {0} come behind it: {0} {1}", full_name(command), name);
  if (option) {
    message = fmt::format("'{}' is not an option of {}", name, full_name(command));
  } else if (commands.empty()) {
    message = fmt::format("{} does not take the argument '{}'", full_name(command), name);
  } else {
    message = fmt::format("'{}' is not a command of {}", name, full_name(command));
  }
  const std::optional<std::string> nearest = nearest_word(name, option ? option_names(command) : commands);
  if (nearest) message += fmt::format("; did you mean '{}'?", *nearest);
  return message;
}

/// CLI11's "Could not convert: --port = 99999" with what may stand there, where the option says so.
std::string with_form(const CLI::App& command, const std::string& message) {
  constexpr std::string_view kBefore = "Could not convert: ", kBetween = " = ";
  const std::size_t between = message.find(kBetween);
  if (!message.starts_with(kBefore) || between == std::string::npos) return message;
  const std::string name = message.substr(kBefore.size(), between - kBefore.size());
  const CLI::Option* option = command.get_option_no_throw(name);
  return fmt::format("{}: '{}' is not what stands there{}", name, message.substr(between + kBetween.size()),
                     option == nullptr ? "" : fmt::format("; it takes {}", value_name(*option)));
}

/// CLI11's "--policy: esay not in {fifo,easy}" with the word that was most likely meant.
std::string with_nearest_value(const std::string& message) {
  constexpr std::string_view kBetween = " not in {";
  const std::size_t colon = message.find(": "), between = message.find(kBetween), close = message.rfind('}');
  if (colon == std::string::npos || between == std::string::npos || close == std::string::npos ||
      between < colon + 2 || close < between + kBetween.size())
    return message;
  const std::string typed = message.substr(colon + 2, between - colon - 2);
  const std::size_t first = between + kBetween.size();
  const std::vector<std::string> words = CLI::detail::split(message.substr(first, close - first), ',');
  const std::optional<std::string> nearest = nearest_word(typed, words);
  return nearest ? fmt::format("{}; did you mean '{}'?", message, *nearest) : message;
}

int report_usage_error(CLI::App& app, const AppContext& context, const CLI::ParseError& error) {
  const CLI::App* command = deepest_command(app);
  const std::vector<std::string> unread = app.remaining(true);
  std::string message = with_nearest_value(with_form(*command, error.what()));
  // A mistyped option often leaves a required argument without its value: say the typo, not its consequence.
  const bool typo = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                    dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  if (typo && !unread.empty()) message = unexpected_word(*command, unread.front());
  while (!message.empty() && message.back() == '\n') message.pop_back();
  print_error(context, fmt::format("{}\nTry '{} --help'.", message, full_name(*command)));
  return static_cast<int>(ExitCode::usage);
}

int report_internal_error(const AppContext& context, const std::exception& error) {
  print_error(context,
              fmt::format("internal error: {}; please report it with the command line", error.what()));
  return static_cast<int>(ExitCode::internal);
}

/// A result that could not be written (a full disk, a closed pipe) is a failed run, not a silent one.
bool standard_output_written(const AppContext& context) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return true;
  print_error(context, fmt::format("cannot write to standard output: {}", std::strerror(errno)));
  return false;
}

int run_action(const AppContext& context) {
  const Result<ExitCode> result = context.action();
  if (!result) {
    std::fflush(stdout);
    print_error(context, result.error().message);
    return static_cast<int>(ExitCode::failed);
  }
  const bool written = standard_output_written(context);
  return static_cast<int>(written ? *result : ExitCode::failed);
}

}  // namespace

std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return parent == nullptr ? command.get_name() : full_name(*parent) + " " + command.get_name();
}

std::string help_of(const CLI::App& command) {
  // Not App::help, which gives the help of a subcommand that the command line names.
  return command.get_formatter()->make_help(&command, full_name(command), CLI::AppFormatMode::Normal);
}

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        std::uint64_t value = 0;
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (text.empty() || error == std::errc::invalid_argument || stop != text.data() + text.size())
          return fmt::format("'{}' is not a whole number; write digits only, such as {}", text,
                             std::max<std::uint64_t>(least, 1));
        if (error != std::errc() || value < least || value > most)
          return fmt::format("must be a whole number from {} to {}, not {}", least, most, text);
        return "";
      },
      "");
}

CLI::Validator number(double least, double most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        double value = 0;
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error == std::errc() && stop == text.data() + text.size() && value >= least && value <= most)
          return "";
        return fmt::format("must be a number from {} to {}, not {}", least, most,
                           text.empty() ? "nothing" : text);
      },
      "");
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

std::string value_name(const CLI::Option& option) {
  std::string name = option.get_type_name();
  // A check adds its own after the type: "TEXT:FILE", "TEXT:{fifo,easy}".
  if (const std::size_t colon = name.rfind(':'); colon != std::string::npos) name.erase(0, colon + 1);
  return name;
}

AppContext make_context() {
  AppContext context;
  context.colour_out = shows_colour(STDOUT_FILENO);
  context.colour_error = shows_colour(STDERR_FILENO);
  context.shown_out = isatty(STDOUT_FILENO) == 1;
  context.progress = isatty(STDERR_FILENO) == 1;
  return context;
}

void set_action(CLI::App& command, AppContext& context, std::function<Result<ExitCode>()> action) {
  command.callback([&command, &context, action = std::move(action)] {
    // CLI11 calls a command's callback after those of what stands below it.
    if (command.get_subcommands().empty()) context.action = action;
  });
}

void set_up_app(CLI::App& app, const AppContext& context) {
  app.name("gw");
  app.set_version_flag("-V,--version", version_line());
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.formatter(std::make_shared<HelpFormatter>(context.colour_out));
  app.failure_message(CLI::FailureMessage::simple);
}

void print_error(const AppContext& context, std::string_view message) {
  const bool colour = context.colour_error;
  const std::string line = fmt::format("{}gw:{} {}\n", colour ? "\033[1;31m" : "", colour ? "\033[0m" : "",
                                       report::printable(message));
  // Not fmt::print, which throws where standard error is gone, a closed terminal.
  std::fwrite(line.data(), 1, line.size(), stderr);
}

namespace {

/// A command that is stopped leaves no partial files behind, and ends as the signal has it.
void clean_up_on_signals() {
  struct sigaction action{};
  action.sa_handler = [](int signal) {
    files::remove_partial_files();
    raise(signal);  // Delivered when this handler ends, with its usual effect.
  };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXCPU, SIGXFSZ}) {
    struct sigaction before{};
    // What is ignored (nohup) stays ignored.
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL)
      sigaction(signal, &action, nullptr);
  }
}

/// The command line with `--behind-dashes WORD` for each word behind `--`, of commands that have this
/// (hidden) option: CLI11 hands what stands behind `--` to gw itself once the command has its arguments.
std::vector<const char*> with_named_dashes(const CLI::App& app, int argc, const char* const* argv) {
  constexpr const char* kName = "--behind-dashes";
  std::vector<const char*> words(argv, argv + argc);
  if (argc < 3) return words;
  const std::vector<const CLI::App*> commands = app.get_subcommands([](const CLI::App*) { return true; });
  const auto command = std::ranges::find(commands, std::string_view(argv[1]),
                                         [](const CLI::App* each) { return each->get_name(); });
  if (command == commands.end() || (*command)->get_option_no_throw(kName) == nullptr) return words;
  const auto dashes = std::ranges::find(words, std::string_view("--"));
  const std::vector<const char*> behind(dashes == words.end() ? dashes : dashes + 1, words.end());
  words.erase(dashes, words.end());
  for (const char* word : behind) words.insert(words.end(), {kName, word});
  return words;
}

}  // namespace

int run_app(CLI::App& app, AppContext& context, int argc, const char* const* argv) {
  // A failed GW_CHECK has said where; it ends as the documented exit code rather than as a signal,
  // and leaves the partial files: the journal's shows what led there.
  std::signal(SIGABRT, [](int) { _exit(static_cast<int>(ExitCode::internal)); });
  clean_up_on_signals();
  allow_one_command(app);
  // Set now, not before the commands are added: they would inherit it.
  app.footer("Try 'gw help COMMAND' for one command, 'man gw' (or 'gw man | man -l -') for all of them.");
  try {
    const std::vector<const char*> words = with_named_dashes(app, argc, argv);
    app.parse(static_cast<int>(words.size()), words.data());
    if (!context.action) {  // A command that only groups others, or gw alone.
      fmt::print(stderr, "{}", help_of(*deepest_command(app)));
      return static_cast<int>(ExitCode::usage);
    }
    return run_action(context);
  } catch (const CLI::CallForHelp& help) {
    // CLI11 looks for --help before it looks at words that nothing took.
    if (const std::vector<std::string> unread = app.remaining(true);
        !unread.empty() && !unread.front().starts_with("-"))
      return report_usage_error(app, context, CLI::ExtrasError(unread));
    fmt::print("{}", help_of(*deepest_command(app)));
    return static_cast<int>(standard_output_written(context) ? ExitCode::ok : ExitCode::failed);
  } catch (const CLI::CallForVersion&) {
    fmt::print("{}\n", version_line());
    return static_cast<int>(standard_output_written(context) ? ExitCode::ok : ExitCode::failed);
  } catch (const CLI::ParseError& error) {
    return report_usage_error(app, context, error);
  } catch (const std::system_error& error) {  // libfmt throws where the C library only sets a flag.
    if (std::ferror(stdout) == 0) return report_internal_error(context, error);
    print_error(context, fmt::format("cannot write to standard output: {}", error.code().message()));
    return static_cast<int>(ExitCode::failed);
  } catch (const std::exception& error) {
    return report_internal_error(context, error);
  }
}

}  // namespace gw
