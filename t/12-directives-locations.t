
# What `nginx -t` says to a configuration: which handlers stand where, what they
# need, and every directive at its bounds.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: chat_websocket without chat_workers
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket;  }
--- must_die: 1
--- error_log eval
[q{"chat_websocket" needs chat workers: write "chat_workers auto;"}]
--- no_error_log
[alert]



=== TEST 2: chat_rpc without a key
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
--- config
    location = /rpc { chat_rpc; }
--- must_die: 1
--- error_log eval
[q{"chat_rpc" needs the key of its tokens: write "chat_jwt_key FILE;"}]
--- no_error_log
[alert]



=== TEST 3: two handlers in one location
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_echo; }
--- must_die: 1
--- error_log eval
[q{"chat_echo" must stand in a location of its own: this one is handled by "chat_websocket" already}]
--- no_error_log
[alert]



=== TEST 4: chat_websocket twice
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_websocket; }
--- must_die: 1
--- error_log eval
[q{"chat_websocket" directive is duplicate}]
--- no_error_log
[alert]



=== TEST 5: chat_websocket with an argument
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /x { chat_websocket on; }
--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_websocket" directive}]
--- no_error_log
[alert]



=== TEST 6: chat_websocket outside a location
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_websocket;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_websocket" directive is not allowed here}]
--- no_error_log
[alert]



=== TEST 7: chat_rpc with an argument
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /x { chat_rpc on; }
--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_rpc" directive}]
--- no_error_log
[alert]



=== TEST 8: chat_rpc outside a location
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_rpc;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_rpc" directive is not allowed here}]
--- no_error_log
[alert]



=== TEST 9: chat_echo with an argument
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /x { chat_echo on; }
--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_echo" directive}]
--- no_error_log
[alert]



=== TEST 10: chat_echo outside a location
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_echo;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_echo" directive is not allowed here}]
--- no_error_log
[alert]



=== TEST 11: chat_status with an argument
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /x { chat_status on; }
--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_status" directive}]
--- no_error_log
[alert]



=== TEST 12: chat_status outside a location
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_status;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_status" directive is not allowed here}]
--- no_error_log
[alert]



=== TEST 13: chat_metrics with an argument
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /x { chat_metrics on; }
--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_metrics" directive}]
--- no_error_log
[alert]



=== TEST 14: chat_metrics outside a location
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_metrics;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_metrics" directive is not allowed here}]
--- no_error_log
[alert]



=== TEST 15: every directive at its bounds is taken
--- http_config
    chat_drain_time 0;
    chat_presence_timeout 1d;
    chat_origin https://example.org http://[::1]:8080;
    chat_heartbeat 1s;
    chat_rate 0.5r/s burst=3;
    chat_token header argument subprotocol;
    chat_unknown_users refuse;
    chat_send_queue 4k;
    chat_send_timeout 1d;
    chat_message_max 1k;
--- config
    location = /a { chat_websocket; chat_rate off; chat_origin any; chat_unknown_users allow; }
    location = /b { chat_rpc; chat_jwt_key $TEST_NGINX_CHAT_KEY; chat_message_max 16m; }
    location = /echo { chat_echo; chat_origin null; }
    location = /d { chat_status; }
    location = /e { chat_metrics; }
--- frames eval
closing(1000)
--- answer eval
server_closing(1000)



=== TEST 16: a server without any chat directive carries no chat
--- http_config
# bare
--- config
    location = /x { return 200 "plain"; }
--- request
GET /x
--- response_body: plain



=== TEST 17: a handler of another module behind ours
--- http_config
# bare
--- config
    location = /echo { chat_echo; proxy_pass http://127.0.0.1:1; }
--- must_die: 1
--- error_log eval
[q{"chat_echo" must stand in a location of its own: a directive behind it handles location "/echo"}]
