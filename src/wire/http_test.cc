#include "wire/http.h"

#include <gtest/gtest.h>

#include "wire/host_port.h"
#include "wire/http_client.h"
#include "wire/message_parser.h"

namespace orchion::wire {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

TEST(Headers, NamesAreComparedWithoutCase) {
  Headers headers;
  headers.add("Content-Type", "a");
  EXPECT_EQ(headers.find("content-type"), "a");
  headers.set("CONTENT-TYPE", "b");
  EXPECT_EQ(headers.fields().size(), 1u);
  EXPECT_EQ(headers.find("Content-Type"), "b");
  EXPECT_FALSE(headers.find("Content"));
}

TEST(Target, PathAndQueryAreDecoded) {
  const auto target = parse_target("/v1/stacks/my%20stack/x%2Fy?stack=a+b&all&name=%C3%A9#end");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, (std::vector<std::string>{"v1", "stacks", "my stack", "x/y"}));
  EXPECT_EQ(target->query, (Query{{"stack", "a b"}, {"all", ""}, {"name", "é"}}));
}

TEST(Target, RootAndTrailingSlash) {
  EXPECT_TRUE(parse_target("/")->path.empty());
  EXPECT_EQ(parse_target("/a/")->path, std::vector<std::string>{"a"});
  EXPECT_EQ(parse_target("/a//b")->path, (std::vector<std::string>{"a", "", "b"}));
}

TEST(Target, BrokenOnesAreRefused) {
  EXPECT_FALSE(parse_target("/a%2"));
  EXPECT_FALSE(parse_target("/a%zz"));
  EXPECT_FALSE(parse_target("http://x/"));
  EXPECT_FALSE(parse_target(""));
}

TEST(Percent, RoundTrip) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(decode_percent(encode_percent(all)), all);
  EXPECT_EQ(decode_percent("%41"), "A");
}

TEST(Events, RoundTripInPiecesOfOneByte) {
  const std::vector<ServerSentEvent> events{{"1", "Task", "{\"a\":1}"}, {"2", "", "two\nlines"}, {"3", "x", ""}};
  std::string bytes = ": a comment\n\n";
  for (const auto& event : events) bytes += format_event(event);
  EventParser parser;
  std::vector<ServerSentEvent> got;
  for (const char c : bytes) {
    for (auto& event : parser.feed({&c, 1})) got.push_back(event);
  }
  EXPECT_EQ(got, events);
}

TEST(Events, AllKindsOfLineEnds) {
  EventParser parser;
  const auto got = parser.feed("id: 1\r\ndata:a\rdata: b\n\r\ndata:c\n\n");
  EXPECT_EQ(got, (std::vector<ServerSentEvent>{{"1", "", "a\nb"}, {"1", "", "c"}}));
}

TEST(Events, NothingInjectsAField) {
  EventParser parser;
  const auto got = parser.feed(format_event({"1\nevent: evil", "a\rb", "x\r\nid: 9"}));
  EXPECT_EQ(got, (std::vector<ServerSentEvent>{{"1 event: evil", "a b", "x\nid: 9"}}));
}

TEST(Endpoint, Parse) {
  EXPECT_EQ(Endpoint::parse("http://127.0.0.1:4600/")->port, 4600);
  EXPECT_EQ(Endpoint::parse("localhost:1")->host, "localhost");
  EXPECT_EQ(Endpoint::parse("http://[::1]:80")->host, "::1");
  EXPECT_EQ(Endpoint::parse("unix:/run/x.sock")->host, "/run/x.sock");
  EXPECT_EQ(parse_host_port("::1", 80)->host, "::1");
  EXPECT_EQ(parse_host_port("[::1]:7", 80)->port, 7);
  EXPECT_EQ(to_string(*parse_host_port("[fe80::1]:7")), "[fe80::1]:7");
  EXPECT_FALSE(parse_host_port("::1"));
  EXPECT_FALSE(parse_host_port("a b:1"));
  for (const auto* bad : {"", "http://", "host", "host:0", "host:99999", "http://h:1/x", "unix:x", "https://h:1"}) {
    EXPECT_FALSE(Endpoint::parse(bad)) << bad;
  }
}

// Feeds `text` byte by byte; returns the body, or the error's message.
std::string parse(std::string_view text, MessageParser& parser) {
  std::string left;
  for (const char c : text) {
    if (parser.done()) return "left over";
    left += c;
    const auto used = parser.put(left);
    if (!used) return used.error().message;
    left.erase(0, *used);
  }
  return parser.take_body();
}

TEST(MessageParser, ByteByByte) {
  MessageParser parser(MessageParser::Kind::kRequest, 8192);
  EXPECT_EQ(
      parse("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            parser),
      "abcde");
  EXPECT_TRUE(parser.done());
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_EQ(parser.head().method, "POST");
  EXPECT_EQ(parser.head().headers.find("host"), "a");
}

TEST(MessageParser, StopsAtTheEndOfTheMessage) {
  MessageParser parser(MessageParser::Kind::kRequest, 8192);
  const std::string_view first = "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab";
  const auto used = parser.put(std::string(first) + "GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(used);
  EXPECT_EQ(*used, first.size());
  EXPECT_EQ(parser.take_body(), "ab");
}

TEST(MessageParser, WhatCouldSmuggleARequestIsRefused) {
  for (const auto* bad :
       {"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nA b: c\r\n\r\n", "\x16\x03\x01\x02"}) {
    MessageParser parser(MessageParser::Kind::kRequest, 8192);
    EXPECT_FALSE(parser.put(bad)) << bad;
  }
}

TEST(MessageParser, HeadIsBounded) {
  MessageParser parser(MessageParser::Kind::kRequest, 1000);
  const auto used = parser.put("GET / HTTP/1.1\r\nA: " + std::string(2000, 'x'));
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code, base::Code::kResourceExhausted);
}

TEST(MessageParser, ResponseThatEndsWithItsConnection) {
  MessageParser parser(MessageParser::Kind::kResponse, 8192);
  EXPECT_TRUE(parser.put("HTTP/1.1 200 OK\r\n\r\nabc"));
  EXPECT_FALSE(parser.done());
  EXPECT_TRUE(parser.put_end());
  EXPECT_TRUE(parser.done());
  EXPECT_EQ(parser.take_body(), "abc");

  MessageParser cut(MessageParser::Kind::kResponse, 8192);
  EXPECT_TRUE(cut.put("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"));
  EXPECT_FALSE(cut.put_end());
}

}  // namespace
}  // namespace orchion::wire
