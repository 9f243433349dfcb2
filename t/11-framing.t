
# RFC 6455, sections 5, 7 and 8, on the echo endpoint: what the engine does with
# frames of every kind.  Each block sends its frames in one segment together
# with the handshake, unless it says otherwise; a number in front of its name is
# the section it holds.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: 5.6 a text message is echoed as text
--- frames eval
[text("hello"), closing(1000)]
--- answer eval
[server(TEXT, "hello"), server_closing(1000)]



=== TEST 2: 5.6 a binary message is echoed as binary
--- frames eval
[binary("\x00\xff\xfe"), closing(1000)]
--- answer eval
[server(BINARY, "\x00\xff\xfe"), server_closing(1000)]



=== TEST 3: 5.6 an empty message is a message
--- frames eval
[text(""), binary(""), closing(1000)]
--- answer eval
[server(TEXT, ""), server(BINARY, ""), server_closing(1000)]



=== TEST 4: 5.2 every length of the length field comes through: 125, 126, 127, 65535, 65536 bytes
--- frames eval
[(map { text("x" x $_) } 125, 126, 127, 65535, 65536), closing(1000)]
--- answer eval
[(map { server(TEXT, "x" x $_) } 125, 126, 127, 65535, 65536), server_closing(1000)]



=== TEST 5: 5.2 reserved bit 1 set without an extension is 1002
--- frames eval
text("hello", rsv => 4)
--- closes: 1002



=== TEST 6: 5.2 reserved bit 2 set without an extension is 1002
--- frames eval
text("hello", rsv => 2)
--- closes: 1002



=== TEST 7: 5.2 reserved bit 3 set without an extension is 1002
--- frames eval
text("hello", rsv => 1)
--- closes: 1002



=== TEST 8: 5.2 a reserved bit in a ping is 1002
--- frames eval
ping("", rsv => 4)
--- closes: 1002



=== TEST 9: 5.2 a reserved bit in a continuation is 1002
--- frames eval
[text("a", fin => 0), continuation("b", rsv => 4)]
--- closes: 1002



=== TEST 10: 5.2 reserved opcode 3 is 1002
--- frames eval
frame(3, "")
--- closes: 1002



=== TEST 11: 5.2 reserved opcode 4 is 1002
--- frames eval
frame(4, "")
--- closes: 1002



=== TEST 12: 5.2 reserved opcode 5 is 1002
--- frames eval
frame(5, "")
--- closes: 1002



=== TEST 13: 5.2 reserved opcode 6 is 1002
--- frames eval
frame(6, "")
--- closes: 1002



=== TEST 14: 5.2 reserved opcode 7 is 1002
--- frames eval
frame(7, "")
--- closes: 1002



=== TEST 15: 5.2 reserved opcode 11 is 1002
--- frames eval
frame(11, "")
--- closes: 1002



=== TEST 16: 5.2 reserved opcode 12 is 1002
--- frames eval
frame(12, "")
--- closes: 1002



=== TEST 17: 5.2 reserved opcode 13 is 1002
--- frames eval
frame(13, "")
--- closes: 1002



=== TEST 18: 5.2 reserved opcode 14 is 1002
--- frames eval
frame(14, "")
--- closes: 1002



=== TEST 19: 5.2 reserved opcode 15 is 1002
--- frames eval
frame(15, "")
--- closes: 1002



=== TEST 20: 5.2 a 16-bit length for less than 126 bytes is 1002
--- frames eval
text("x" x 125, wide => 16)
--- closes: 1002



=== TEST 21: 5.2 a 64-bit length for less than 65536 bytes is 1002
--- frames eval
text("x" x 65535, wide => 64)
--- closes: 1002



=== TEST 22: 5.2 a 64-bit length with its highest bit set is 1002
--- frames eval
"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x05abcd"
--- closes: 1002



=== TEST 23: 5.1 an unmasked text frame is 1002
--- frames eval
text("hello", mask => undef)
--- closes: 1002



=== TEST 24: 5.1 an unmasked ping is 1002
--- frames eval
ping("", mask => undef)
--- closes: 1002



=== TEST 25: 5.1 an unmasked Close is 1002
--- frames eval
frame(CLOSE, "\x03\xe8", mask => undef)
--- closes: 1002



=== TEST 26: 5.3 each frame has a mask of its own, also one of zeroes
--- frames eval
[text("abcdefg", mask => "\x01\x02\x03\x04"), text("hijklmn", mask => "\0\0\0\0"), text("opq", mask => "\xff\xff\xff\xff"), closing(1000)]
--- answer eval
[server(TEXT, "abcdefg"), server(TEXT, "hijklmn"), server(TEXT, "opq"), server_closing(1000)]



=== TEST 27: 5.1 frames from the server carry no mask and are not fragmented
--- frames eval
[text("Hel", fin => 0), continuation("lo"), closing(1000)]
--- answer eval
["\x81\x05Hello", server_closing(1000)]



=== TEST 28: 5.4 fragments of a message become one message
--- frames eval
[text("a", fin => 0), continuation("b", fin => 0), continuation("c"), closing(1000)]
--- answer eval
[server(TEXT, "abc"), server_closing(1000)]



=== TEST 29: 5.4 fragments may be empty
--- frames eval
[text("", fin => 0), continuation("", fin => 0), continuation("x", fin => 0), continuation(""), closing(1000)]
--- answer eval
[server(TEXT, "x"), server_closing(1000)]



=== TEST 30: 5.4 a message of a thousand fragments comes through
--- frames eval
[binary("", fin => 0), (map { continuation(chr(65 + $_ % 26), fin => 0) } 0 .. 999), continuation("!"), closing(1000)]
--- answer eval
[server(BINARY, join("", map { chr(65 + $_ % 26) } 0 .. 999) . "!"), server_closing(1000)]



=== TEST 31: 5.4 a ping between fragments is answered before the message
--- frames eval
[text("a", fin => 0), ping("p"), continuation("b"), closing(1000)]
--- answer eval
[server(PONG, "p"), server(TEXT, "ab"), server_closing(1000)]



=== TEST 32: 5.4 a pong between fragments changes nothing
--- frames eval
[text("a", fin => 0), pong("p"), continuation("b"), closing(1000)]
--- answer eval
[server(TEXT, "ab"), server_closing(1000)]



=== TEST 33: 5.4 a Close between fragments ends the connection at once
--- frames eval
[text("a", fin => 0), closing(1000), continuation("b")]
--- answer eval
[server_closing(1000)]



=== TEST 34: 5.4 a continuation with nothing to continue is 1002
--- frames eval
continuation("x")
--- closes: 1002



=== TEST 35: 5.4 a continuation with nothing to continue is 1002 also without FIN
--- frames eval
continuation("x", fin => 0)
--- closes: 1002



=== TEST 36: 5.4 a continuation after a finished message is 1002
--- frames eval
[text("a"), continuation("x")]
--- response_body_like eval
qr/\A\x81\x01a\x88.\x03\xea/s



=== TEST 37: 5.4 a continuation after a finished fragmented message is 1002
--- frames eval
[text("a", fin => 0), continuation("b"), continuation("x")]
--- response_body_like eval
qr/\A\x81\x02ab\x88.\x03\xea/s



=== TEST 38: 5.4 a text frame inside a fragmented message is 1002
--- frames eval
[text("a", fin => 0), text("b")]
--- closes: 1002



=== TEST 39: 5.4 a binary frame inside a fragmented message is 1002
--- frames eval
[text("a", fin => 0), binary("b")]
--- closes: 1002



=== TEST 40: 5.5 a fragmented ping is 1002
--- frames eval
ping("x", fin => 0)
--- closes: 1002



=== TEST 41: 5.5 a fragmented pong is 1002
--- frames eval
pong("x", fin => 0)
--- closes: 1002



=== TEST 42: 5.5 a fragmented Close is 1002
--- frames eval
frame(CLOSE, "\x03\xe8", fin => 0)
--- closes: 1002



=== TEST 43: 5.5 a ping of 126 bytes is 1002
--- frames eval
ping("x" x 126)
--- closes: 1002



=== TEST 44: 5.5 a pong of 126 bytes is 1002
--- frames eval
pong("x" x 126)
--- closes: 1002



=== TEST 45: 5.5 a Close of 126 bytes is 1002
--- frames eval
closing(1000, "x" x 124)
--- closes: 1002



=== TEST 46: 5.5 a control frame with a 16-bit length is 1002 before its payload is there
--- frames eval
"\x89\xfe"
--- closes: 1002



=== TEST 47: 5.5 a control frame with a 64-bit length is 1002 before its payload is there
--- frames eval
"\x88\xff"
--- closes: 1002



=== TEST 48: 5.5.1 a Close is answered with a Close of the same code
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)



=== TEST 49: 5.5.1 a Close without a code is answered without one
--- frames eval
closing()
--- answer eval
server_closing()



=== TEST 50: 5.5.1 a Close may have a reason of 123 bytes
--- frames eval
closing(1000, "r" x 123)
--- closes: 1000



=== TEST 51: 5.5.1 nothing after a Close is read
--- frames eval
[closing(1000), text("late"), ping("late")]
--- answer eval
server_closing(1000)



=== TEST 52: 5.5.1 messages before a Close are answered before it
--- frames eval
[text("a"), ping("b"), closing(4000)]
--- answer eval
[server(TEXT, "a"), server(PONG, "b"), server_closing(4000)]



=== TEST 53: 5.5.1 a Close of one byte is 1002
--- frames eval
frame(CLOSE, "\x03")
--- closes: 1002



=== TEST 54: 5.5.1 a Close with a reason that is not UTF-8 is 1007
--- frames eval
closing(1000, "\xff")
--- closes: 1007



=== TEST 55: 5.5.1 a Close with a reason cut inside a character is 1007
--- frames eval
closing(1000, "\xe2\x82")
--- closes: 1007



=== TEST 56: 7.4 code 1000 may be used and comes back
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)



=== TEST 57: 7.4 code 1001 may be used and comes back
--- frames eval
closing(1001)
--- answer eval
server_closing(1001)



=== TEST 58: 7.4 code 1002 may be used and comes back
--- frames eval
closing(1002)
--- answer eval
server_closing(1002)



=== TEST 59: 7.4 code 1003 may be used and comes back
--- frames eval
closing(1003)
--- answer eval
server_closing(1003)



=== TEST 60: 7.4 code 1007 may be used and comes back
--- frames eval
closing(1007)
--- answer eval
server_closing(1007)



=== TEST 61: 7.4 code 1008 may be used and comes back
--- frames eval
closing(1008)
--- answer eval
server_closing(1008)



=== TEST 62: 7.4 code 1009 may be used and comes back
--- frames eval
closing(1009)
--- answer eval
server_closing(1009)



=== TEST 63: 7.4 code 1010 may be used and comes back
--- frames eval
closing(1010)
--- answer eval
server_closing(1010)



=== TEST 64: 7.4 code 1011 may be used and comes back
--- frames eval
closing(1011)
--- answer eval
server_closing(1011)



=== TEST 65: 7.4 code 3000 may be used and comes back
--- frames eval
closing(3000)
--- answer eval
server_closing(3000)



=== TEST 66: 7.4 code 3999 may be used and comes back
--- frames eval
closing(3999)
--- answer eval
server_closing(3999)



=== TEST 67: 7.4 code 4000 may be used and comes back
--- frames eval
closing(4000)
--- answer eval
server_closing(4000)



=== TEST 68: 7.4 code 4999 may be used and comes back
--- frames eval
closing(4999)
--- answer eval
server_closing(4999)



=== TEST 69: 7.4 code 0 may not be sent: 1002
--- frames eval
closing(0)
--- closes: 1002



=== TEST 70: 7.4 code 999 may not be sent: 1002
--- frames eval
closing(999)
--- closes: 1002



=== TEST 71: 7.4 code 1004 may not be sent: 1002
--- frames eval
closing(1004)
--- closes: 1002



=== TEST 72: 7.4 code 1005 may not be sent: 1002
--- frames eval
closing(1005)
--- closes: 1002



=== TEST 73: 7.4 code 1006 may not be sent: 1002
--- frames eval
closing(1006)
--- closes: 1002



=== TEST 74: 7.4 code 1015 may not be sent: 1002
--- frames eval
closing(1015)
--- closes: 1002



=== TEST 75: 7.4 code 1016 may not be sent: 1002
--- frames eval
closing(1016)
--- closes: 1002



=== TEST 76: 7.4 code 1100 may not be sent: 1002
--- frames eval
closing(1100)
--- closes: 1002



=== TEST 77: 7.4 code 2000 may not be sent: 1002
--- frames eval
closing(2000)
--- closes: 1002



=== TEST 78: 7.4 code 2999 may not be sent: 1002
--- frames eval
closing(2999)
--- closes: 1002



=== TEST 79: 7.4 code 5000 may not be sent: 1002
--- frames eval
closing(5000)
--- closes: 1002



=== TEST 80: 7.4 code 65535 may not be sent: 1002
--- frames eval
closing(65535)
--- closes: 1002



=== TEST 81: 5.5.2 a ping is answered with its payload
--- frames eval
[ping(""), ping("x" x 125), ping("\x00\xff"), closing(1000)]
--- answer eval
[server(PONG, ""), server(PONG, "x" x 125), server(PONG, "\x00\xff"), server_closing(1000)]



=== TEST 82: 5.5.2 a ping behind a message is answered behind it
--- frames eval
[text("first"), ping("only"), closing(1000)]
--- answer eval
[server(TEXT, "first"), server(PONG, "only"), server_closing(1000)]



=== TEST 83: 5.5.3 a pong that nobody asked for is ignored
--- frames eval
[pong("x"), text("y"), closing(1000)]
--- answer eval
[server(TEXT, "y"), server_closing(1000)]



=== TEST 84: 8.1 one to four bytes: good text
--- frames eval
[text("x\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), closing(1000)]
--- answer eval
[server(TEXT, "x\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), server_closing(1000)]



=== TEST 85: 8.1 U+0000: good text
--- frames eval
[text("\x00"), closing(1000)]
--- answer eval
[server(TEXT, "\x00"), server_closing(1000)]



=== TEST 86: 8.1 a byte order mark: good text
--- frames eval
[text("\xef\xbb\xbf"), closing(1000)]
--- answer eval
[server(TEXT, "\xef\xbb\xbf"), server_closing(1000)]



=== TEST 87: 8.1 noncharacters: good text
--- frames eval
[text("\xef\xbf\xbe\xef\xb7\x90"), closing(1000)]
--- answer eval
[server(TEXT, "\xef\xbf\xbe\xef\xb7\x90"), server_closing(1000)]



=== TEST 88: 8.1 the neighbours of the surrogates: good text
--- frames eval
[text("\xed\x9f\xbf\xee\x80\x80"), closing(1000)]
--- answer eval
[server(TEXT, "\xed\x9f\xbf\xee\x80\x80"), server_closing(1000)]



=== TEST 89: 8.1 a lone continuation byte: 1007
--- frames eval
text("\x80")
--- closes: 1007



=== TEST 90: 8.1 a lone continuation byte behind text: 1007
--- frames eval
text("abc\xbf")
--- closes: 1007



=== TEST 91: 8.1 overlong slash in two bytes: 1007
--- frames eval
text("\xc0\xaf")
--- closes: 1007



=== TEST 92: 8.1 C1: 1007
--- frames eval
text("\xc1\xbf")
--- closes: 1007



=== TEST 93: 8.1 overlong in three bytes: 1007
--- frames eval
text("\xe0\x80\xaf")
--- closes: 1007



=== TEST 94: 8.1 overlong in four bytes: 1007
--- frames eval
text("\xf0\x80\x80\xaf")
--- closes: 1007



=== TEST 95: 8.1 a high surrogate: 1007
--- frames eval
text("\xed\xa0\x80")
--- closes: 1007



=== TEST 96: 8.1 a low surrogate: 1007
--- frames eval
text("\xed\xbf\xbf")
--- closes: 1007



=== TEST 97: 8.1 a surrogate pair: 1007
--- frames eval
text("\xed\xa0\xbd\xed\xb8\x80")
--- closes: 1007



=== TEST 98: 8.1 above U+10FFFF: 1007
--- frames eval
text("\xf4\x90\x80\x80")
--- closes: 1007



=== TEST 99: 8.1 F5: 1007
--- frames eval
text("\xf5\x80\x80\x80")
--- closes: 1007



=== TEST 100: 8.1 FE: 1007
--- frames eval
text("\xfe")
--- closes: 1007



=== TEST 101: 8.1 FF: 1007
--- frames eval
text("\xff")
--- closes: 1007



=== TEST 102: 8.1 a character cut by ASCII: 1007
--- frames eval
text("\xe2\x82x")
--- closes: 1007



=== TEST 103: 8.1 a character without its end: 1007
--- frames eval
text("x\xe2\x82")
--- closes: 1007



=== TEST 104: 8.1 a first byte alone: 1007
--- frames eval
text("\xf0")
--- closes: 1007



=== TEST 105: 8.1 a character may be cut between fragments
--- frames eval
[text("\xf0\x9f", fin => 0), ping(""), continuation("\x98", fin => 0), continuation("\x80"), closing(1000)]
--- answer eval
[server(PONG, ""), server(TEXT, "\xf0\x9f\x98\x80"), server_closing(1000)]



=== TEST 106: 8.1 a message that ends inside a character is 1007 however it is cut
--- frames eval
[text("\xe2", fin => 0), continuation("\x82", fin => 0), continuation("")]
--- closes: 1007



=== TEST 107: 8.1 bad text in a first fragment is 1007 at once: fail fast
--- frames eval
text("\xff", fin => 0)
--- closes: 1007



=== TEST 108: 8.1 bad text in a frame that is not complete is 1007 at once: fail fast
--- frames eval
text("ab\xed\xa0", length => 1000)
--- closes: 1007



=== TEST 109: 8.1 a byte that cannot follow is bad before the character is complete
--- frames eval
text("\xf4\x90", length => 4)
--- closes: 1007



=== TEST 110: 8.1 a binary message need not be UTF-8
--- frames eval
[binary("\xff\xfe\xed\xa0\x80"), closing(1000)]
--- answer eval
[server(BINARY, "\xff\xfe\xed\xa0\x80"), server_closing(1000)]



=== TEST 111: 8.1 the state of one text does not leak into the next
--- frames eval
[binary("\xe2\x82"), text("ok"), closing(1000)]
--- answer eval
[server(BINARY, "\xe2\x82"), server(TEXT, "ok"), server_closing(1000)]



=== TEST 112: 10.4 a frame header that announces more than the limit is 1009 before its payload
--- frames eval
text("abcd", length => 16 * 1024 * 1024 + 1)
--- closes: 1009



=== TEST 113: 10.4 a frame header that announces 2^62 bytes is 1009
--- frames eval
text("abcd", length => 2 ** 62)
--- closes: 1009



=== TEST 114: 10.4 fragments that together announce more than the limit are 1009
--- frames eval
[binary("a", fin => 0), continuation("", length => 16 * 1024 * 1024)]
--- closes: 1009



=== TEST 115: a frame header cut between two segments
--- frames eval
["\x81", "\x85\0\0\0", "\0hel", "lo", closing(1000)]
--- answer eval
[server(TEXT, "hello"), server_closing(1000)]
--- raw_request_middle_delay: 0.03



=== TEST 116: a ping cut between two segments is answered whole
--- frames eval
["\x89\x84\0\0\0\0pi", "ng", text("x"), closing(1000)]
--- answer eval
[server(PONG, "ping"), server(TEXT, "x"), server_closing(1000)]
--- raw_request_middle_delay: 0.03



=== TEST 117: a Close cut between two segments
--- frames eval
[substr(closing(1000), 0, 5), substr(closing(1000), 5)]
--- answer eval
server_closing(1000)
--- raw_request_middle_delay: 0.03



=== TEST 118: a 16-bit length cut between two segments
--- frames eval
[substr(text("x" x 300), 0, 3), substr(text("x" x 300), 3), closing(1000)]
--- answer eval
[server(TEXT, "x" x 300), server_closing(1000)]
--- raw_request_middle_delay: 0.03



=== TEST 119: a character cut between two segments
--- frames eval
[substr(text("\xe2\x82\xac"), 0, 7), substr(text("\xe2\x82\xac"), 7), closing(1000)]
--- answer eval
[server(TEXT, "\xe2\x82\xac"), server_closing(1000)]
--- raw_request_middle_delay: 0.03



=== TEST 120: a ping cut inside fragments
--- frames eval
[text("a", fin => 0) . substr(ping("xyz"), 0, 7), substr(ping("xyz"), 7) . continuation("b"), closing(1000)]
--- answer eval
[server(PONG, "xyz"), server(TEXT, "ab"), server_closing(1000)]
--- raw_request_middle_delay: 0.03


