#include "wire/socket_io.h"

#include <cerrno>

#include <sys/socket.h>

#include <fmt/core.h>

namespace orchion::wire {

namespace asio = boost::asio;
using boost::system::error_code;

asio::awaitable<error_code> read_some(Socket& socket, Inbox& inbox) {
  const auto space = inbox.space();
  if (space.size() == 0) co_return asio::error::no_buffer_space;
  const auto [ec, count] = co_await socket.async_read_some(space, kAwait);
  inbox.commit(count);
  co_return ec;
}

namespace {

void consume(Pieces& pieces, std::size_t count) {
  for (auto& piece : pieces) {
    const auto taken = std::min(count, piece.size());
    piece.remove_prefix(taken);
    count -= taken;
  }
}

std::size_t total(const Pieces& pieces) {
  return pieces[0].size() + pieces[1].size() + pieces[2].size();
}

}  // namespace

asio::awaitable<error_code> write_all(Socket& socket, Pieces pieces) {
  while (total(pieces) > 0) {
    const std::array<asio::const_buffer, 3> buffers{asio::const_buffer(pieces[0].data(), pieces[0].size()),
                                                    asio::const_buffer(pieces[1].data(), pieces[1].size()),
                                                    asio::const_buffer(pieces[2].data(), pieces[2].size())};
    error_code ec;
    consume(pieces, socket.write_some(buffers, ec));
    if (ec == asio::error::would_block) {
      const auto [waited] = co_await socket.async_wait(Socket::wait_write, kAwait);
      ec = waited;
    }
    if (ec) co_return ec;
  }
  co_return error_code();
}

PeerState peer_state(Socket& socket) {
  char byte;
  const auto got = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return PeerState::kSent;
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? PeerState::kQuiet : PeerState::kGone;
}

void append_headers(const std::vector<std::pair<std::string, std::string>>& headers, std::string& out) {
  for (const auto& [name, value] : headers) {
    out += name;
    out += ": ";
    for (const char c : value) {
      if (c != '\r' && c != '\n') out += c;
    }
    out += "\r\n";
  }
}

std::string chunk_head(std::size_t bytes) {
  return fmt::format("{:x}\r\n", bytes);
}

}  // namespace orchion::wire
