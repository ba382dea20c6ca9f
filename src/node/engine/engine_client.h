#pragma once

// The Engine API, as Docker and Podman serve it on a unix socket.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/engine/engine_objects.h"
#include "wire/http_client.h"

namespace orchion::node::engine {

struct EngineLimits {
  base::Duration first = std::chrono::seconds(10);     // the question for its version
  base::Duration ordinary = std::chrono::seconds(30);  // most calls
  base::Duration slow = std::chrono::seconds(120);     // create, start and remove wait for disks
  base::Duration stall = std::chrono::seconds(300);    // of a pull or load: unpacking a layer says nothing meanwhile
};

// One engine. One executor; `clock` must outlive it. Any number of calls at once. While nobody answers or
// the engine fails, what is safe to repeat is repeated a few times with growing pauses; every call has its bound.
//
// Errors: kUnavailable: nobody answers at the socket. kDeadlineExceeded: it hangs. kInternal: it failed (HTTP 5xx).
// kNotFound, kAlreadyExists, kInvalidArgument, kFailedPrecondition as the call says.
class EngineClient {
 public:
  EngineClient(base::Executor executor, base::Clock& clock, std::filesystem::path socket, EngineLimits limits = {});
  ~EngineClient();
  EngineClient(const EngineClient&) = delete;
  EngineClient& operator=(const EngineClient&) = delete;

  // Asked once, then remembered: the version of the protocol is settled by it. kUnimplemented: it is too old.
  base::Co<EngineVersion> version();

  // Takes Podman seconds.
  base::Co<EngineInfo> info();

  // `document` is the API's JSON. Returns the engine's id. kAlreadyExists: the name is taken; kNotFound: no such
  // image. What it says besides is in the message.
  base::Co<std::string> create_container(std::string name, std::string document);

  enum class Started { kNow, kRanAlready };
  base::Co<Started> start_container(std::string name);

  // No error where it doesn't run or isn't there.
  base::Co<> kill_container(std::string name, int signal);

  // Kills it where it runs. No error where there is none; returns when it is gone, its anonymous volumes too.
  base::Co<> remove_container(std::string name);

  base::Co<std::optional<ContainerState>> inspect_container(std::string name);

  // In any state; with that label, or all where it is empty.
  base::Co<std::vector<ContainerSummary>> list_containers(std::string label, std::string value);

  // Output from now on, or a way in, of a container in any state; ends with it. Without a terminal output comes in
  // frames.
  enum class Attached { kOutput, kInput };
  base::Co<std::unique_ptr<wire::RawStream>> attach_container(std::string name, Attached to);

  // Its terminal.
  base::Co<> resize_container(std::string name, std::uint16_t columns, std::uint16_t rows);

  // kNotFound: no such container; kFailedPrecondition: it doesn't run.
  base::Co<std::string> create_exec(std::string container, ExecRequest request);
  base::Co<std::unique_ptr<wire::RawStream>> start_exec(std::string exec, bool tty);
  base::Co<> resize_exec(std::string exec, std::uint16_t columns, std::uint16_t rows);
  base::Co<ExecState> inspect_exec(std::string exec);

  base::Co<std::optional<EngineImage>> inspect_image(std::string reference);

  // Reads the progress to its end; `on_progress`, which may be empty, is told how many bytes came of how many that are
  // known of. kNotFound: no registry has it; kUnavailable: the registry can't be reached.
  using OnProgress = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;
  base::Co<> pull_image(std::string reference, OnProgress on_progress = {});

  // A tar of `docker save`'s kind; returns when it is in the engine's store.
  base::Co<> load_image(std::shared_ptr<wire::BodyReader> archive);

  // A tar of `docker save`'s kind, as it comes. kNotFound.
  base::Co<std::unique_ptr<wire::BodyReader>> save_image(std::string reference);

  // `image` gets another name.
  base::Co<> tag_image(std::string image, std::string repository, std::string tag);

  // A file or folder of a container in any state, as a tar whose top entry is called as the path's end. kNotFound.
  base::Co<std::unique_ptr<wire::BodyReader>> read_files(std::string container, std::string path);

  const std::filesystem::path& socket() const { return socket_; }

  // "docker at /var/run/docker.sock"; "the engine" before the first answer.
  std::string name() const;

 private:
  struct Answer {
    int status = 0;
    std::string body;
    wire::Headers headers;
  };
  enum class Repeat { kNever, kWhileUnreachable, kAlways };
  struct Call {
    std::string method = "GET";
    std::string target;  // without the version
    std::string body = {};
    Repeat repeat = Repeat::kAlways;
    base::Duration limit = {};  // zero: the ordinary one
  };

  base::Co<std::unique_ptr<wire::RawStream>> open_stream(wire::ClientRequest request, std::string what);
  base::Co<> resize(std::string path, std::uint16_t columns, std::uint16_t rows);
  base::Co<Answer> call(Call call);
  base::Co<Answer> call_once(Call call);
  base::Co<std::string> versioned(std::string target);
  base::Co<EngineVersion> ask_version();
  base::Co<> read_progress(wire::ClientResponse response, std::string what, OnProgress on_progress = {});
  base::Error failure(const std::string& what, int status, const std::string& body) const;
  base::Error explain(base::Error error) const;

  base::Clock& clock_;
  std::filesystem::path socket_;
  EngineLimits limits_;
  wire::HttpClient http_;
  std::optional<EngineVersion> version_;
  std::string prefix_;  // "/v1.41"
};

}  // namespace orchion::node::engine
