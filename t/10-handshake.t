
# RFC 6455, section 4: the opening handshake, on the echo endpoint and, where a
# token is needed, on /ws.  No worker runs here: what gets past every check of
# nginx itself waits for one.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: 1.3 the key of the RFC gets the accept value of the RFC
--- raw_request eval
handshake("/echo") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)



=== TEST 2: 4.2.1 header names and the values websocket and upgrade are case-insensitive
--- raw_request eval
handshake("/echo", Upgrade => "WebSocket", Connection => "UPGRADE") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)



=== TEST 3: 4.2.1 Connection may list more than Upgrade
--- raw_request eval
handshake("/echo", Connection => "keep-alive, Upgrade") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)



=== TEST 4: 4.2.1 Connection and Upgrade may come in several header lines
--- raw_request eval
handshake("/echo", Connection => ["keep-alive", "Upgrade"], Upgrade => ["h2c", "websocket"]) . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)



=== TEST 5: 4.1 headers nobody knows are ignored
--- raw_request eval
handshake("/echo", "X-Unknown" => "x", "Cookie" => "a=b", "Sec-WebSocket-Extensions" => "permessage-deflate; client_max_window_bits") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)



=== TEST 6: 4.2.2 an extension that is not offered here is not answered
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Extensions" => "permessage-deflate") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- raw_response_headers_unlike: Sec-WebSocket-Extensions



=== TEST 7: 4.2.2 chat.v1 is echoed when it is offered
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Protocol" => "chat.v1") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Protocol: chat.v1



=== TEST 8: 4.2.2 chat.v1 is found among others and in several header lines
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Protocol" => ["a, b", "c, chat.v1"]) . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- response_headers
Sec-WebSocket-Protocol: chat.v1



=== TEST 9: 4.2.2 no subprotocol is answered when none fits
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Protocol" => "mqtt, chat.v2") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- raw_response_headers_unlike: Sec-WebSocket-Protocol



=== TEST 10: 4.2.1 an Origin is accepted where none is configured
--- raw_request eval
handshake("/echo", Origin => "https://example.org") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)



=== TEST 11: 4.2.1 POST is 405 with Allow: GET
--- raw_request eval
handshake("/echo", method => "POST", Connection => ["Upgrade", "close"])
--- error_code: 405
--- response_headers
Allow: GET
--- response_body_like: "status":405,



=== TEST 12: 4.2.1 PUT is 405 with Allow: GET
--- raw_request eval
handshake("/echo", method => "PUT", Connection => ["Upgrade", "close"])
--- error_code: 405
--- response_headers
Allow: GET
--- response_body_like: "status":405,



=== TEST 13: 4.2.1 DELETE is 405 with Allow: GET
--- raw_request eval
handshake("/echo", method => "DELETE", Connection => ["Upgrade", "close"])
--- error_code: 405
--- response_headers
Allow: GET
--- response_body_like: "status":405,



=== TEST 14: 4.2.1 OPTIONS is 405 with Allow: GET
--- raw_request eval
handshake("/echo", method => "OPTIONS", Connection => ["Upgrade", "close"])
--- error_code: 405
--- response_headers
Allow: GET
--- response_body_like: "status":405,



=== TEST 15: 4.2.1 HEAD is 405
--- raw_request eval
handshake("/echo", method => "HEAD", Connection => ["Upgrade", "close"])
--- error_code: 405
--- response_headers
Allow: GET



=== TEST 16: 4.2.1 HTTP/1.0 cannot upgrade: 426
--- raw_request eval
handshake("/echo", version => "HTTP/1.0")
--- error_code: 426
--- response_headers
Upgrade: websocket
--- response_body_like: "status":426,



=== TEST 17: 4.2.1 no Upgrade: 426
--- raw_request eval
handshake("/echo", Upgrade => undef, Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Upgrade: websocket
--- response_body_like: "status":426,



=== TEST 18: 4.2.1 another Upgrade: 426
--- raw_request eval
handshake("/echo", Upgrade => "h2c", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Upgrade: websocket
--- response_body_like: "status":426,



=== TEST 19: 4.2.1 no Connection: Upgrade: 426
--- raw_request eval
handshake("/echo", Connection => "close")
--- error_code: 426
--- response_headers
Upgrade: websocket
--- response_body_like: "status":426,



=== TEST 20: 4.2.1 no key: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Key" => undef, Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 21: 4.2.1 an empty key: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Key" => "", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 22: 4.2.1 two keys: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Key" => undef, "sec-websocket-key" => ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="], Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 23: 4.2.1 a key of 15 bytes: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Key" => "dGhlIHNhbXBsZSBub25j", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 24: 4.2.1 a key of 18 bytes: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Key" => "dGhlIHNhbXBsZSBub25jZQzz", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 25: 4.2.1 a key that is not base64: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Key" => "!!!!!!!!!!!!!!!!!!!!!!==", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 26: 4.4 version "8": 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => "8", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 27: 4.4 version "12": 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => "12", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 28: 4.4 version "14": 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => "14", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 29: 4.4 version "013": 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => "013", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 30: 4.4 version "13x": 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => "13x", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 31: 4.4 version "-1": 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => "-1", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 32: 4.4 version "": 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => "", Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 33: 4.4 no version: 426, and the version that is spoken
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Version" => undef, Connection => ["Upgrade", "close"])
--- error_code: 426
--- response_headers
Sec-WebSocket-Version: 13
--- response_body_like: "status":426,



=== TEST 34: 4.1 a subprotocol list with an empty name or a separator in it: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Protocol" => "chat.v1, a b", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 35: 4.1 a subprotocol twice: 400
--- raw_request eval
handshake("/echo", "Sec-WebSocket-Protocol" => "chat.v1, chat.v1", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 36: a body announced with the handshake: 400
--- raw_request eval
handshake("/echo", "Content-Length" => "5", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 37: a chunked body announced with the handshake: 400
--- raw_request eval
handshake("/echo", "Transfer-Encoding" => "chunked", Connection => ["Upgrade", "close"])
--- error_code: 400
--- response_body_like: "status":400,



=== TEST 38: an answer of refusal is application/problem+json with a reason
--- raw_request eval
handshake("/echo", Upgrade => undef, Connection => "close")
--- error_code: 426
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"upgrade_required"



=== TEST 39: a handshake with a space before the colon of a header is refused by nginx
--- raw_request eval
(my $r = handshake("/echo", Connection => ["Upgrade", "close"])) =~ s/Upgrade: websocket/Upgrade : websocket/; $r
--- error_code: 400



=== TEST 40: 10.2 https://example.org is one of chat_origin
--- raw_request eval
handshake("/echo", Origin => "https://example.org") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 41: 10.2 https://two.example:8443 is one of chat_origin
--- raw_request eval
handshake("/echo", Origin => "https://two.example:8443") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 42: 10.2 HTTPS://Example.ORG is one of chat_origin
--- raw_request eval
handshake("/echo", Origin => "HTTPS://Example.ORG") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 43: 10.2 Origin http://example.org is none of chat_origin: 403
--- raw_request eval
handshake("/echo", Origin => "http://example.org", Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 44: 10.2 Origin https://example.org:8443 is none of chat_origin: 403
--- raw_request eval
handshake("/echo", Origin => "https://example.org:8443", Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 45: 10.2 Origin https://two.example is none of chat_origin: 403
--- raw_request eval
handshake("/echo", Origin => "https://two.example", Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 46: 10.2 Origin https://xexample.org is none of chat_origin: 403
--- raw_request eval
handshake("/echo", Origin => "https://xexample.org", Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 47: 10.2 Origin https://example.org.evil is none of chat_origin: 403
--- raw_request eval
handshake("/echo", Origin => "https://example.org.evil", Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 48: 10.2 Origin null is none of chat_origin: 403
--- raw_request eval
handshake("/echo", Origin => "null", Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 49: 10.2 Origin "" is none of chat_origin: 403
--- raw_request eval
handshake("/echo", Origin => "", Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 50: 10.2 two Origins: 403
--- raw_request eval
handshake("/echo", Origin => ["https://example.org", "https://example.org"], Connection => ["Upgrade", "close"])
--- error_code: 403
--- response_body_like: "status":403,
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 51: 10.2 no Origin: not a browser, accepted
--- raw_request eval
handshake("/echo") . closing(1000)
--- error_code: 101
--- raw_response_headers_like eval
qr/Connection: upgrade\r\n.*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/is
--- answer eval
server_closing(1000)
--- config
    location = /echo { chat_echo; chat_origin https://example.org https://two.example:8443; }



=== TEST 52: no token: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"])
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 53: an expired token: 401 token_expired
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", exp => time - 1))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_expired"



=== TEST 54: a token that is not valid yet: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", nbf => time + 3600))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 55: a token of another key: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", _key => "x" x 32))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 56: alg none: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", _header => {alg => "none"}))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 57: alg HS512: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", _header => {alg => "HS512"}))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 58: a token without exp: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", exp => undef))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 59: a token without sub: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", sub => undef))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 60: a sub with a character that may not be there: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("al ice"))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 61: claims with a key twice: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", _raw => qq({"sub":"alice","sub":"eve","exp":9999999999})))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 62: claims that are no JSON: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", _raw => "{"))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 63: a header that is no JSON: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", _header => "{"))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 64: a header with a key twice: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice", _header => q({"alg":"HS256","alg":"HS256"})))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 65: Basic instead of Bearer: 401
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Basic YTpi")
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 66: a bad token in the query: 401
--- raw_request eval
handshake("/ws?token=nonsense", Connection => ["Upgrade", "close"])
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"



=== TEST 67: bearer without chat.v1: 400
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], "Sec-WebSocket-Protocol" => "bearer." . token("alice"))
--- error_code: 400
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"[a-z_]+"



=== TEST 68: a good token and a bad after: 400
--- raw_request eval
handshake("/ws?after=-1", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice"))
--- error_code: 400
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"bad_after"



=== TEST 69: a good token and a bad device: 400
--- raw_request eval
handshake("/ws?device=a%20b", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice"))
--- error_code: 400
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"[a-z_]+"



=== TEST 70: chat_token subprotocol: a token in the header does not count
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice"))
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"
--- config
    location = /ws { chat_websocket; chat_token subprotocol; }



=== TEST 71: chat_token subprotocol: a token in the query does not count
--- raw_request eval
handshake("/ws?token=x", Connection => ["Upgrade", "close"])
--- error_code: 401
--- response_headers
Content-Type: application/problem+json
--- response_body_like: "reason":"token_[a-z_]+"
--- config
    location = /ws { chat_websocket; chat_token subprotocol; }



=== TEST 72: a good token and no worker: 503 with Retry-After after 2 s
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"], Authorization => "Bearer " . token("alice"))
--- error_code: 503
--- response_headers_like
Retry-After: [1-9]\d*
--- response_body_like: "status":503,



=== TEST 73: a 401 says how to authenticate
--- raw_request eval
handshake("/ws", Connection => ["Upgrade", "close"])
--- error_code: 401
--- response_headers_like
WWW-Authenticate: Bearer.*



=== TEST 74: the token argument of a good handshake is in no log
--- raw_request eval
handshake("/echo?a=b&token=SeCrEt.ToKeN&c=d", Connection => ["Upgrade", "close"]) . closing(1000)
--- error_code: 101
--- log_level: info
--- no_access_log
SeCrEt
--- access_log
?a=b&token=
--- no_error_log
SeCrEt
[alert]
[crit]



=== TEST 75: the token argument of a 401 is in no log
--- raw_request eval
handshake("/ws?a=b&token=SeCrEt.ToKeN&c=d", Connection => ["Upgrade", "close"])
--- error_code: 401
--- log_level: info
--- no_access_log
SeCrEt
--- access_log
?a=b&token=
--- no_error_log
SeCrEt
[alert]
[crit]



=== TEST 76: the token argument of a 400 is in no log
--- raw_request eval
handshake("/echo?a=b&token=SeCrEt.ToKeN&c=d", Connection => ["Upgrade", "close"], "Sec-WebSocket-Key" => "")
--- error_code: 400
--- log_level: info
--- no_access_log
SeCrEt
--- access_log
?a=b&token=
--- no_error_log
SeCrEt
[alert]
[crit]



=== TEST 77: the token argument of a 404 is in no log
--- raw_request eval
handshake("/nowhere?a=b&token=SeCrEt.ToKeN&c=d", Connection => ["Upgrade", "close"])
--- error_code: 404
--- log_level: info
--- no_access_log
SeCrEt
--- access_log
?a=b&token=
--- no_error_log
SeCrEt
[alert]
[crit]


