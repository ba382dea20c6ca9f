#pragma once

// HTTP/1.1 messages out of bytes, without I/O. Private to this folder.

#include <memory>
#include <string>
#include <string_view>

#include "wire/http.h"

namespace orchion::wire {

// One message's head and body: put() bytes until done(). Framing (length, chunks, end of the connection) is
// checked strictly, since a lenient reader lets requests be smuggled.
class MessageParser {
 public:
  enum class Kind { kRequest, kResponse };

  struct Head {
    std::string method;
    std::string target;
    int status = 0;
    Headers headers;
  };

  class Impl;

  MessageParser(Kind kind, std::size_t header_bytes_max);
  ~MessageParser();

  // Takes what it understands of `bytes` and returns how many those were; the rest is to be given again with more
  // behind it. Stops at the message's end. kResourceExhausted: the head is too large; else kInvalidArgument.
  base::Result<std::size_t> put(std::string_view bytes);

  // The connection has ended: the end of a body that has no other, an error elsewhere.
  base::Result<> put_end();

  bool begun() const;
  bool head_done() const;
  bool done() const;

  // Valid once head_done().
  Head& head();
  bool keep_alive() const;
  bool http_1_0() const;

  // Body bytes since the last take; empty where there are none.
  std::string take_body();

  // The head is that of an answer to HEAD: no body follows, whatever it says. Before the first put().
  void expect_no_body();

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace orchion::wire
