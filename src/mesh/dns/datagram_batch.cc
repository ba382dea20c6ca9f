#include "mesh/dns/datagram_batch.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>

namespace orchion::mesh::dns {

namespace ip = boost::asio::ip;

DatagramBatch::DatagramBatch() {
  for (std::size_t i = 0; i < kDatagramsMax; ++i) {
    parts_[i] = {queries_[i].data(), queries_[i].size()};
    received_[i] = {};
    received_[i].msg_hdr.msg_name = &peers_[i];
    received_[i].msg_hdr.msg_iov = &parts_[i];
    received_[i].msg_hdr.msg_iovlen = 1;
  }
}

std::size_t DatagramBatch::receive(int socket) {
  for (std::size_t i = 0; i < kDatagramsMax; ++i) {
    replies_[i].clear();
    received_[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
  }
  int count = 0;
  do {
    count = ::recvmmsg(socket, received_.data(), kDatagramsMax, MSG_DONTWAIT, nullptr);
  } while (count < 0 && errno == EINTR);
  return count_ = count < 0 ? 0 : static_cast<std::size_t>(count);
}

wire::View DatagramBatch::message(std::size_t index) const {
  if ((received_[index].msg_hdr.msg_flags & MSG_TRUNC) != 0) return {};
  return wire::View(queries_[index]).first(received_[index].msg_len);
}

ip::udp::endpoint DatagramBatch::from(std::size_t index) const {
  ip::udp::endpoint endpoint;
  std::memcpy(endpoint.data(), &peers_[index], received_[index].msg_hdr.msg_namelen);
  return endpoint;
}

void DatagramBatch::send(int socket) {
  std::array<mmsghdr, kDatagramsMax> messages{};
  std::array<iovec, kDatagramsMax> parts{};
  unsigned count = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (replies_[i].empty()) continue;
    parts[count] = {replies_[i].data(), replies_[i].size()};
    messages[count].msg_hdr.msg_name = &peers_[i];
    messages[count].msg_hdr.msg_namelen = received_[i].msg_hdr.msg_namelen;
    messages[count].msg_hdr.msg_iov = &parts[count];
    messages[count++].msg_hdr.msg_iovlen = 1;
  }
  for (unsigned sent = 0; sent < count;) {
    const int taken = ::sendmmsg(socket, &messages[sent], count - sent, MSG_DONTWAIT);
    if (taken < 0 && errno == EINTR) continue;
    sent += taken > 0 ? static_cast<unsigned>(taken) : 1;
  }
}

}  // namespace orchion::mesh::dns
