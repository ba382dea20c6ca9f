#pragma once

// HTTP/1.1 as values. The server and the client stand in http_server.h and http_client.h; the library that
// does the parsing stays in their .cc files.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/co.h"

namespace orchion::wire {

// In order, names compared without case.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string name, std::string value);
  std::optional<std::string_view> find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// A body that arrives piece by piece. One reader.
class BodyReader {
 public:
  virtual ~BodyReader() = default;

  // nullopt: the end. Never an empty piece.
  virtual base::Co<std::optional<std::string>> read() = 0;
};

// Reads to the end; kResourceExhausted over `bytes_max`.
base::Co<std::string> read_whole(BodyReader& body, std::size_t bytes_max);

enum class Transport { kTcp, kUnix };

struct Request {
  std::string method;
  std::string target;  // as sent: "/v1/tasks?stack=a%20b"
  Headers headers;
  Transport transport = Transport::kTcp;
  std::string peer;  // "127.0.0.1:40312"; of a unix socket "uid 0"
};

struct Response {
  int status = 200;
  Headers headers;  // Content-Length is added
  std::string body;
};

// A body that is sent piece by piece (chunked). Destroying it before end() breaks the connection off, so that
// the client doesn't take a part for the whole.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  virtual base::Co<> write(std::string piece) = 0;  // an empty piece is ignored
  virtual base::Co<> end() = 0;
};

class WebSocket {
 public:
  virtual ~WebSocket() = default;

  struct Message {
    std::string data;
    bool binary = false;
  };
  // nullopt: the peer closed it in order. An error the peer closed it with arrives as that error (close codes
  // 4000 + base::Code, the reason is the message). One receiver at a time.
  virtual base::Co<std::optional<Message>> receive() = 0;

  // One sender at a time.
  virtual base::Co<> send(Message message) = 0;

  // Returns when the peer has answered. Allowed while a receive() waits, which then ends.
  virtual base::Co<> close() = 0;
  virtual base::Co<> close(base::Error error) = 0;
};

// One request being served. Exactly one of respond, begin and upgrade is called, once.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  virtual BodyReader& body() = 0;
  virtual base::Co<> respond(Response response) = 0;
  virtual base::Co<std::unique_ptr<BodyWriter>> begin(int status, Headers headers) = 0;
  virtual bool wants_websocket() const = 0;
  virtual base::Co<std::unique_ptr<WebSocket>> upgrade() = 0;
};

// Runs on the server's executor, one coroutine an exchange; cancelled when the client goes away. An error
// returned before anything was sent becomes a bare 500.
using Handler = std::function<base::Co<>(std::shared_ptr<Exchange>)>;

// Percent-decoding as in RFC 3986; kInvalidArgument for a broken escape.
base::Result<std::string> decode_percent(std::string_view text, bool plus_is_space = false);
std::string encode_percent(std::string_view text);

struct Target {
  std::vector<std::string> path;                           // decoded segments
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
};
base::Result<Target> parse_target(std::string_view target);

// One server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html).
struct ServerSentEvent {
  std::string id;
  std::string event;
  std::string data;

  bool operator==(const ServerSentEvent&) const = default;
};
std::string format_event(const ServerSentEvent& event);

// Bytes in, events out; comments and retry fields are passed over. As the standard has it, an event without an
// id carries the id of the one before.
class EventParser {
 public:
  std::vector<ServerSentEvent> feed(std::string_view bytes);

 private:
  void take_line(std::vector<ServerSentEvent>& events);

  std::string line_;
  std::string last_id_;
  ServerSentEvent event_;
  bool any_ = false;
  bool last_was_cr_ = false;
};

}  // namespace orchion::wire
