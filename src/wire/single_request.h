#pragma once

#include <memory>

#include "wire/http_client.h"

namespace orchion::wire {

class MessageParser;

// One request on a connection that somebody else has made, and the beginning of its answer: for asking a server about
// which nothing is known. Memory is bounded, time is the caller's. One executor; one call at a time.
class SingleRequest {
 public:
  struct Bounds {
    std::size_t head_bytes_max = 16u << 10;
    std::size_t body_bytes_max = 4u << 10;
  };
  SingleRequest(std::shared_ptr<RawStream> connection, Bounds bounds);
  ~SingleRequest();

  // Returns the status when the head of the answer is there. The request's headers name the host; its body must be
  // empty. kUnavailable: the connection broke or ended before; kDataLoss: what answers doesn't speak HTTP/1, or says
  // too much.
  base::Co<int> send(ClientRequest request);

  // What of the body has come, and has room; then more of it.
  const std::string& body() const { return body_; }

  // Reads on until the body ends, or has no more room.
  base::Co<> read_body();

 private:
  base::Co<bool> read_more();
  void take_body();

  std::shared_ptr<RawStream> connection_;
  const Bounds bounds_;
  std::unique_ptr<MessageParser> parser_;
  std::string left_;  // came, and wasn't understood yet
  std::string body_;
};

}  // namespace orchion::wire
