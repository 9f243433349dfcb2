
# permessage-deflate, RFC 7692: which offers are taken, what frames may
# have.  Blocks begin with the section they hold.  Texts shorter than min=
# come back as they are, so answers are known to the last byte.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: 7.1 the offer "permessage-deflate" is taken
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover



=== TEST 2: 7.1 the offer "permessage-deflate; client_max_window_bits" is taken
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; client_max_window_bits
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover



=== TEST 3: 7.1 the offer "permessage-deflate; client_max_window_bits=8" is taken
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; client_max_window_bits=8
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover



=== TEST 4: 7.1 the offer "permessage-deflate; server_no_context_takeover; client_no_context_takeover" is taken
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_no_context_takeover; client_no_context_takeover
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover



=== TEST 5: 7.1 the offer "permessage-deflate; server_max_window_bits=8" is taken
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_max_window_bits=8
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8



=== TEST 6: 7.1 the offer "permessage-deflate; server_max_window_bits="15"" is taken
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_max_window_bits="15"
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15



=== TEST 7: 7.1 the offer "foo, permessage-deflate; x=1, permessage-deflate; server_max_window_bits=9, permessage-deflate" is taken
--- http_config
    chat_deflate on;
--- offers: foo, permessage-deflate; x=1, permessage-deflate; server_max_window_bits=9, permessage-deflate
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9



=== TEST 8: 7.1 the offer "permessage-deflate; server_max_window_bits" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_max_window_bits
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 9: 7.1 the offer "permessage-deflate; server_max_window_bits=7" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_max_window_bits=7
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 10: 7.1 the offer "permessage-deflate; server_max_window_bits=16" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_max_window_bits=16
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 11: 7.1 the offer "permessage-deflate; server_max_window_bits=010" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_max_window_bits=010
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 12: 7.1 the offer "permessage-deflate; client_max_window_bits=16" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; client_max_window_bits=16
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 13: 7.1 the offer "permessage-deflate; server_no_context_takeover=1" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; server_no_context_takeover=1
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 14: 7.1 the offer "permessage-deflate; client_no_context_takeover; client_no_context_takeover" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; client_no_context_takeover; client_no_context_takeover
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 15: 7.1 the offer "permessage-deflate; unknown" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; unknown
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 16: 7.1 the offer "x-webkit-deflate-frame" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: x-webkit-deflate-frame
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 17: 7.1 the offer "bbf-usp-protocol" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: bbf-usp-protocol
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 18: 7.1 the offer "permessage-deflate; ;" is declined, and the connection opened
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; ;
--- frames eval
[text("a"), closing(1000)]
--- answer eval
[server(TEXT, "a"), server_closing(1000)]
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 19: 5.1 nothing was offered, nothing is answered
--- http_config
    chat_deflate on;
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 20: 5.1 with chat_deflate off no offer is taken
--- http_config
    chat_deflate off;
--- offers: permessage-deflate
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 21: 6.2 a compressed text comes back
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("Hello"), rsv => 4), closing(1000)]
--- answer eval
[server(TEXT, "Hello"), server_closing(1000)]



=== TEST 22: 6.2 a compressed binary message
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(BINARY, deflated("\xff\0"), rsv => 4), closing(1000)]
--- answer eval
[server(BINARY, "\xff\0"), server_closing(1000)]



=== TEST 23: 7.2.3.1 the examples of the RFC
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, "\xf2\x48\xcd\xc9\xc9\x07\x00", rsv => 4), frame(TEXT, "\xf2\x48\xcd", rsv => 4, fin => 0), continuation("\xc9\xc9\x07\x00"), closing(1000)]
--- answer eval
[server(TEXT, "Hello"), server(TEXT, "Hello"), server_closing(1000)]



=== TEST 24: 7.2.3.3 a block without compression
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", rsv => 4), closing(1000)]
--- answer eval
[server(TEXT, "Hello"), server_closing(1000)]



=== TEST 25: 7.2.3.4 a block with BFINAL
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", rsv => 4), closing(1000)]
--- answer eval
[server(TEXT, "Hello"), server_closing(1000)]



=== TEST 26: 7.2.3.5 two blocks in one message
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", rsv => 4), closing(1000)]
--- answer eval
[server(TEXT, "Hello"), server_closing(1000)]



=== TEST 27: 7.2.3.6 an empty message
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, "\x00", rsv => 4), closing(1000)]
--- answer eval
[server(TEXT, ""), server_closing(1000)]



=== TEST 28: 7.2.3.2 a context taken over is 1007
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, "\xf2\x48\xcd\xc9\xc9\x07\x00", rsv => 4), frame(TEXT, "\xf2\x00\x11\x00\x00", rsv => 4)]
--- response_body_like eval
qr/\A\x81\x05Hello\x88[\x02-\x7d]\x03\xef/s



=== TEST 29: 6.1 a message that is not compressed beside one that is
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[text("plain"), frame(TEXT, deflated("packed"), rsv => 4), text("plain"), closing(1000)]
--- answer eval
[server(TEXT, "plain"), server(TEXT, "packed"), server(TEXT, "plain"), server_closing(1000)]



=== TEST 30: 6.1 fragments, and control frames between them
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[do { my $p = deflated("and so on " x 10); frame(TEXT, substr($p, 0, 3), rsv => 4, fin => 0) . ping("x") . continuation("", fin => 0) . continuation(substr $p, 3) }, closing(1000)]
--- answer eval
[server(PONG, "x"), server(TEXT, "and so on " x 10), server_closing(1000)]



=== TEST 31: 6.1 a compressed frame cut between two segments
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[do { my $f = frame(TEXT, deflated("and so on " x 10), rsv => 4); (substr($f, 0, 9), substr($f, 9)) }, closing(1000)]
--- answer eval
[server(TEXT, "and so on " x 10), server_closing(1000)]
--- raw_request_middle_delay: 0.03



=== TEST 32: 6.1 RSV1 in a continuation is 1002
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, "a", fin => 0), frame(0, "b", rsv => 4)]
--- closes: 1002



=== TEST 33: 6.1 RSV1 in both fragments is 1002
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, substr(deflated("abc"), 0, 2), rsv => 4, fin => 0), frame(0, substr(deflated("abc"), 2), rsv => 4)]
--- closes: 1002



=== TEST 34: 6.1 RSV1 in a ping is 1002
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
frame(PING, "", rsv => 4)
--- closes: 1002



=== TEST 35: 6.1 RSV1 in a pong is 1002
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
frame(PONG, "", rsv => 4)
--- closes: 1002



=== TEST 36: 6.1 RSV1 in a Close is 1002
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
frame(CLOSE, "", rsv => 4)
--- closes: 1002



=== TEST 37: 6455 5.2 reserved bits 1 are 1002 still
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("a"), rsv => 1)]
--- closes: 1002



=== TEST 38: 6455 5.2 reserved bits 2 are 1002 still
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("a"), rsv => 2)]
--- closes: 1002



=== TEST 39: 6455 5.2 reserved bits 3 are 1002 still
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("a"), rsv => 3)]
--- closes: 1002



=== TEST 40: 6455 5.2 reserved bits 5 are 1002 still
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("a"), rsv => 5)]
--- closes: 1002



=== TEST 41: 6455 5.2 reserved bits 6 are 1002 still
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("a"), rsv => 6)]
--- closes: 1002



=== TEST 42: 6455 5.2 reserved bits 7 are 1002 still
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("a"), rsv => 7)]
--- closes: 1002



=== TEST 43: 5.1 RSV1 without the extension is 1002
--- http_config
    chat_deflate on;
--- frames eval
[frame(TEXT, deflated("a"), rsv => 4)]
--- closes: 1002



=== TEST 44: 5.1 RSV1 after an offer that was declined is 1002
--- http_config
    chat_deflate on;
--- offers: permessage-deflate; unknown
--- frames eval
[frame(TEXT, deflated("a"), rsv => 4)]
--- closes: 1002



=== TEST 45: 6.2 bytes that are not deflated are 1007
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
frame(TEXT, "\xff\xff\xff\xff", rsv => 4)
--- closes: 1007



=== TEST 46: 6.2 a message cut short is 1007
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, substr(deflated("and so on " x 10), 0, -3), rsv => 4)]
--- closes: 1007



=== TEST 47: 6.2 no byte at all is 1007
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
frame(TEXT, "", rsv => 4)
--- closes: 1007



=== TEST 48: 6455 8.1 text that is not UTF-8 when inflated is 1007
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("caf\xe9!"), rsv => 4)]
--- closes: 1007



=== TEST 49: 6455 8.1 a character cut by the end of the message is 1007
--- http_config
    chat_deflate on;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("caf\xc3"), rsv => 4)]
--- closes: 1007



=== TEST 50: 9 what inflates to chat_message_max comes back
--- http_config
    chat_deflate on min=2k; chat_message_max 1k;
--- offers: permessage-deflate
--- frames eval
[frame(BINARY, deflated("a" x 1024), rsv => 4), closing(1000)]
--- answer eval
[server(BINARY, "a" x 1024), server_closing(1000)]



=== TEST 51: 9 one byte more is 1009
--- http_config
    chat_deflate on min=2k; chat_message_max 1k;
--- offers: permessage-deflate
--- frames eval
[frame(BINARY, deflated("a" x 1025), rsv => 4)]
--- closes: 1009



=== TEST 52: 9 a bomb is 1009
--- http_config
    chat_deflate on; chat_message_max 100k;
--- offers: permessage-deflate
--- frames eval
[frame(TEXT, deflated("\0" x 10_000_000), rsv => 4)]
--- closes: 1009



=== TEST 53: 9 a payload longer than chat_message_max is 1009 in its header
--- http_config
    chat_deflate on; chat_message_max 1k;
--- offers: permessage-deflate
--- frames eval
frame(TEXT, "", rsv => 4, length => 1025)
--- closes: 1009
