
# What `nginx -t` says to a configuration: keys, sets of keys, where a token may
# stand, accounts and how long their tokens last.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a key file that is not there
--- http_config
# bare
    chat_workers auto; chat_jwt_key /nonexistent/key;
--- config

--- must_die: 1
--- error_log eval
[q{"/nonexistent/key" of "chat_jwt_key" failed (2: No such file}]
--- no_error_log
[alert]



=== TEST 2: a key that is too short
--- http_config
# bare
    chat_jwt_key /etc/hostname;
--- config

--- must_die: 1
--- error_log eval
[q{must have 32 to 4096 bytes: make one with "openssl rand -hex 32}]
--- no_error_log
[alert]



=== TEST 3: chat_token cookie is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_token cookie; }
--- must_die: 1
--- error_log eval
[q{of "chat_token": write "header", "argument" or "subprotocol", each at most once}]
--- no_error_log
[alert]



=== TEST 4: chat_token header header is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_token header header; }
--- must_die: 1
--- error_log eval
[q{of "chat_token": write "header", "argument" or "subprotocol", each at most once}]
--- no_error_log
[alert]



=== TEST 5: chat_token Header is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_token Header; }
--- must_die: 1
--- error_log eval
[q{of "chat_token": write "header", "argument" or "subprotocol", each at most once}]
--- no_error_log
[alert]



=== TEST 6: chat_jwt_key without an argument
--- http_config
# bare
    chat_jwt_key;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_jwt_key" directive}]
--- no_error_log
[alert]



=== TEST 7: chat_jwt_key with a parameter that is none
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY foo=bar;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "foo=bar" of "chat_jwt_key": write after the file "alg=ALGORITHM"}]
--- no_error_log
[alert]



=== TEST 8: chat_jwt_key with an empty kid
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY kid=;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "kid=" of "chat_jwt_key"}]
--- no_error_log
[alert]



=== TEST 9: chat_jwt_key with two kids
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY kid=a kid=b;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "kid=b" of "chat_jwt_key"}]
--- no_error_log
[alert]



=== TEST 10: chat_jwt_key with an algorithm that is none
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY alg=none;
--- config

--- must_die: 1
--- error_log eval
[q{invalid algorithm "none" in "chat_jwt_key": write "HS256", "RS256", "ES256" or "EdDSA"}]
--- no_error_log
[alert]



=== TEST 11: chat_jwt_key RS256 with a secret
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY alg=RS256;
--- config

--- must_die: 1
--- error_log eval
[q{is one for HS256: "alg=RS256" does not fit}]
--- no_error_log
[alert]



=== TEST 12: chat_jwt_key with one kid for two keys
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY kid=a; chat_jwt_key $TEST_NGINX_CHAT_KEY kid=a;
--- config

--- must_die: 1
--- error_log eval
[q{of "chat_jwt_key" has the kid of another key}]
--- no_error_log
[alert]



=== TEST 13: chat_jwks without an argument
--- http_config
# bare
    chat_jwks;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_jwks" directive}]
--- no_error_log
[alert]



=== TEST 14: chat_jwks of a file that is not there
--- http_config
# bare
    chat_jwks /nonexistent/jwks;
--- config

--- must_die: 1
--- error_log eval
[q{"/nonexistent/jwks" of "chat_jwks" failed (2: No such file}]
--- no_error_log
[alert]



=== TEST 15: chat_jwks of a file that is none
--- http_config
# bare
    chat_jwks $TEST_NGINX_CHAT_KEY;
--- config

--- must_die: 1
--- error_log eval
[q{of "chat_jwks" is not a JWK Set, one JSON object}]
--- no_error_log
[alert]



=== TEST 16: chat_jwks with a kid
--- http_config
# bare
    chat_jwks $TEST_NGINX_CHAT_KEY kid=a;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "kid=a" of "chat_jwks": write after the file "iss=ISSUER" or "aud=AUDIENCE"}]
--- no_error_log
[alert]



=== TEST 17: several keys, with and without parameters
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_jwt_key $TEST_NGINX_CHAT_KEY alg=HS256 kid=a iss=https://id.example aud=chat;
    chat_jwt_key $TEST_NGINX_CHAT_KEY kid=b;
--- config
    location = /ws { chat_websocket; }
    location = /x { return 200 "plain"; }
--- request
GET /x
--- response_body: plain



=== TEST 18: chat_accounts maybe is refused
--- http_config
# bare
    chat_accounts maybe;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX" with the beginning of the ids that nobody may sign up with}]
--- no_error_log
[alert]



=== TEST 19: chat_accounts off with a prefix is refused
--- http_config
# bare
    chat_accounts off reserved=site-;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX"}]
--- no_error_log
[alert]



=== TEST 20: chat_accounts with an empty prefix is refused
--- http_config
# bare
    chat_accounts on reserved=;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX"}]
--- no_error_log
[alert]



=== TEST 21: chat_accounts with a prefix that begins no id is refused
--- http_config
# bare
    chat_accounts on reserved=a/b;
--- config

--- must_die: 1
--- error_log eval
[q{of A-Z a-z 0-9 _ . @ + -}]
--- no_error_log
[alert]



=== TEST 22: chat_accounts with another parameter is refused
--- http_config
# bare
    chat_accounts on prefix=a;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX"}]
--- no_error_log
[alert]



=== TEST 23: chat_accounts twice
--- http_config
# bare
    chat_accounts on;
    chat_accounts off;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_accounts" directive is duplicate}]
--- no_error_log
[alert]



=== TEST 24: chat_accounts without a secret to sign with
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
--- config
    location /v1/ { chat_api; chat_accounts on; }
--- must_die: 1
--- error_log eval
[q{"chat_api" needs the key of its tokens}]
--- no_error_log
[alert]



=== TEST 25: chat_token_lifetime 0 is refused
--- http_config
# bare
    chat_token_lifetime 0;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_token_lifetime" directive needs a time from "1s" to "365d": write for example "30d"}]
--- no_error_log
[alert]



=== TEST 26: chat_token_lifetime above a year is refused
--- http_config
# bare
    chat_token_lifetime 366d;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_token_lifetime" directive needs a time from "1s" to "365d"}]
--- no_error_log
[alert]



=== TEST 27: chat_token_lifetime ever is refused
--- http_config
# bare
    chat_token_lifetime ever;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_token_lifetime" directive needs a time from "1s" to "365d"}]
--- no_error_log
[alert]



=== TEST 28: chat_token_lifetime twice
--- http_config
# bare
    chat_token_lifetime 1d;
    chat_token_lifetime 2d;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_token_lifetime" directive is duplicate}]
--- no_error_log
[alert]



=== TEST 29: accounts at every level, and their bounds
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_accounts on reserved=site-;
    chat_token_lifetime 365d;
--- config
    chat_accounts off;
    location /v1/ { chat_api; chat_accounts on reserved=a; chat_token_lifetime 1s; }
    location /v2/ { chat_api; }
    location = /x { return 200 "plain"; }
--- request
GET /x
--- response_body: plain
