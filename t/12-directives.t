
# What `nginx -t` says to a configuration: every directive, its bounds, and
# words that tell what to write instead.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: chat_workers 0 is refused
--- http_config
# bare
    chat_workers 0;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "0" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 2: chat_workers 65 is refused
--- http_config
# bare
    chat_workers 65;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "65" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 3: chat_workers x is refused
--- http_config
# bare
    chat_workers x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "x" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 4: chat_workers -1 is refused
--- http_config
# bare
    chat_workers -1;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "-1" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 5: chat_workers unix: is refused
--- http_config
# bare
    chat_workers unix:;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "unix:" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 6: chat_workers 1.5 is refused
--- http_config
# bare
    chat_workers 1.5;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "1.5" of "chat_workers": write "auto", a number from 1 to 64, or "unix:DIR"}]
--- no_error_log
[alert]



=== TEST 7: chat_workers twice
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_workers auto;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_workers" directive is duplicate}]
--- no_error_log
[alert]



=== TEST 8: chat_workers without a store
--- http_config
# bare
    chat_workers auto;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_workers" needs a store: write for example "chat_store leveldb:}]
--- no_error_log
[alert]



=== TEST 9: chat_store /var/lib/x is refused
--- http_config
# bare
    chat_workers auto; chat_store /var/lib/x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "/var/lib/x" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 10: chat_store leveldb: is refused
--- http_config
# bare
    chat_workers auto; chat_store leveldb:;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "leveldb:" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 11: chat_store sqlite:/x is refused
--- http_config
# bare
    chat_workers auto; chat_store sqlite:/x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "sqlite:/x" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 12: chat_store memory: is refused
--- http_config
# bare
    chat_workers auto; chat_store memory:;
--- config

--- must_die: 1
--- error_log eval
[q{invalid value "memory:" of "chat_store": write "leveldb:PATH"}]
--- no_error_log
[alert]



=== TEST 13: chat_workers unix: with chat_store
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_store leveldb:/tmp/x;
--- config

--- must_die: 1
--- error_log eval
[q{remove "chat_run_dir", "chat_store" and "chat_program"}]
--- no_error_log
[alert]



=== TEST 14: a run directory too long for a socket
--- http_config
# bare
    chat_workers auto; chat_store leveldb:/tmp/x; chat_run_dir /tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx;
--- config

--- must_die: 1
--- error_log eval
[q{is too long for the address of a socket}]
--- no_error_log
[alert]



=== TEST 15: chat_websocket without chat_workers
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



=== TEST 16: chat_rpc without a key
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



=== TEST 17: a key file that is not there
--- http_config
# bare
    chat_workers auto; chat_jwt_key /nonexistent/key;
--- config

--- must_die: 1
--- error_log eval
[q{"/nonexistent/key" of "chat_jwt_key" failed (2: No such file}]
--- no_error_log
[alert]



=== TEST 18: a key that is too short
--- http_config
# bare
    chat_jwt_key /etc/hostname;
--- config

--- must_die: 1
--- error_log eval
[q{must have 32 to 4096 bytes: make one with "openssl rand -hex 32}]
--- no_error_log
[alert]



=== TEST 19: two handlers in one location
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



=== TEST 20: chat_websocket twice
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



=== TEST 21: chat_origin example.org is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_origin example.org; }
--- must_die: 1
--- error_log eval
[q{in "chat_origin": write "https://HOST" or "https://HOST:PORT" without a path, or "any" alone}]
--- no_error_log
[alert]



=== TEST 22: chat_origin https://example.org/ is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_origin https://example.org/; }
--- must_die: 1
--- error_log eval
[q{in "chat_origin": write "https://HOST" or "https://HOST:PORT" without a path, or "any" alone}]
--- no_error_log
[alert]



=== TEST 23: chat_origin https://example.org/path is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_origin https://example.org/path; }
--- must_die: 1
--- error_log eval
[q{in "chat_origin": write "https://HOST" or "https://HOST:PORT" without a path, or "any" alone}]
--- no_error_log
[alert]



=== TEST 24: chat_origin * is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_origin *; }
--- must_die: 1
--- error_log eval
[q{in "chat_origin": write "https://HOST" or "https://HOST:PORT" without a path, or "any" alone}]
--- no_error_log
[alert]



=== TEST 25: chat_origin https://*.example.org is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_origin https://*.example.org; }
--- must_die: 1
--- error_log eval
[q{in "chat_origin": write "https://HOST" or "https://HOST:PORT" without a path, or "any" alone}]
--- no_error_log
[alert]



=== TEST 26: chat_origin any https://a.b is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_origin any https://a.b; }
--- must_die: 1
--- error_log eval
[q{in "chat_origin": write "https://HOST" or "https://HOST:PORT" without a path, or "any" alone}]
--- no_error_log
[alert]



=== TEST 27: chat_rate 50 is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate 50; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 28: chat_rate 50r/m is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate 50r/m; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 29: chat_rate 0r/s is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate 0r/s; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 30: chat_rate -5r/s is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate -5r/s; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 31: chat_rate fast is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate fast; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 32: chat_rate 50r/s 100 is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate 50r/s 100; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 33: chat_rate 50r/s burst=0 is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate 50r/s burst=0; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 34: chat_rate 2000000r/s is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_rate 2000000r/s; }
--- must_die: 1
--- error_log eval
[q{invalid "chat_rate": write "50r/s", "50r/s burst=100" or "off"}]
--- no_error_log
[alert]



=== TEST 35: chat_token cookie is refused
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



=== TEST 36: chat_token header header is refused
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



=== TEST 37: chat_token Header is refused
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



=== TEST 38: chat_unknown_users maybe is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_unknown_users maybe; }
--- must_die: 1
--- error_log eval
[q{invalid value "maybe" of "chat_unknown_users": write "allow" or "refuse"}]
--- no_error_log
[alert]



=== TEST 39: chat_heartbeat without a time
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_heartbeat soon; }
--- must_die: 1
--- error_log eval
[q{"chat_heartbeat" directive needs a time: write for example "30s"}]
--- no_error_log
[alert]



=== TEST 40: chat_heartbeat below a second
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_heartbeat 10ms; }
--- must_die: 1
--- error_log eval
[q{"chat_heartbeat" directive must be at least "1s"}]
--- no_error_log
[alert]



=== TEST 41: chat_heartbeat above a day
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_heartbeat 2d; }
--- must_die: 1
--- error_log eval
[q{"chat_heartbeat" directive must be at most "1d"}]
--- no_error_log
[alert]



=== TEST 42: chat_heartbeat twice
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_heartbeat 5s; chat_heartbeat 5s; }
--- must_die: 1
--- error_log eval
[q{"chat_heartbeat" directive is duplicate}]
--- no_error_log
[alert]



=== TEST 43: chat_send_timeout without a time
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_send_timeout soon; }
--- must_die: 1
--- error_log eval
[q{"chat_send_timeout" directive needs a time: write for example "30s"}]
--- no_error_log
[alert]



=== TEST 44: chat_send_timeout below a second
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_send_timeout 10ms; }
--- must_die: 1
--- error_log eval
[q{"chat_send_timeout" directive must be at least "1s"}]
--- no_error_log
[alert]



=== TEST 45: chat_send_timeout above a day
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_send_timeout 2d; }
--- must_die: 1
--- error_log eval
[q{"chat_send_timeout" directive must be at most "1d"}]
--- no_error_log
[alert]



=== TEST 46: chat_send_timeout twice
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_send_timeout 5s; chat_send_timeout 5s; }
--- must_die: 1
--- error_log eval
[q{"chat_send_timeout" directive is duplicate}]
--- no_error_log
[alert]



=== TEST 47: chat_drain_time without a time
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_drain_time x;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_drain_time" directive needs a time}]
--- no_error_log
[alert]



=== TEST 48: chat_message_max x is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_message_max x; }
--- must_die: 1
--- error_log eval
[q{"chat_message_max" directive}]
--- no_error_log
[alert]



=== TEST 49: chat_message_max 1023 is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_message_max 1023; }
--- must_die: 1
--- error_log eval
[q{"chat_message_max" directive}]
--- no_error_log
[alert]



=== TEST 50: chat_message_max 17m is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_message_max 17m; }
--- must_die: 1
--- error_log eval
[q{"chat_message_max" directive}]
--- no_error_log
[alert]



=== TEST 51: chat_message_max 0 is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_message_max 0; }
--- must_die: 1
--- error_log eval
[q{"chat_message_max" directive}]
--- no_error_log
[alert]



=== TEST 52: chat_send_queue x is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_send_queue x; }
--- must_die: 1
--- error_log eval
[q{"chat_send_queue" directive}]
--- no_error_log
[alert]



=== TEST 53: chat_send_queue 4095 is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_send_queue 4095; }
--- must_die: 1
--- error_log eval
[q{"chat_send_queue" directive}]
--- no_error_log
[alert]



=== TEST 54: chat_send_queue 0 is refused
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
--- config
    location = /ws { chat_websocket; chat_send_queue 0; }
--- must_die: 1
--- error_log eval
[q{"chat_send_queue" directive}]
--- no_error_log
[alert]



=== TEST 55: chat_workers without an argument
--- http_config
# bare
    chat_workers;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_workers" directive}]
--- no_error_log
[alert]



=== TEST 56: chat_run_dir without an argument
--- http_config
# bare
    chat_run_dir;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_run_dir" directive}]
--- no_error_log
[alert]



=== TEST 57: chat_store without an argument
--- http_config
# bare
    chat_store;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_store" directive}]
--- no_error_log
[alert]



=== TEST 58: chat_jwt_key without an argument
--- http_config
# bare
    chat_jwt_key;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_jwt_key" directive}]
--- no_error_log
[alert]



=== TEST 59: chat_drain_time without an argument
--- http_config
# bare
    chat_drain_time;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_drain_time" directive}]
--- no_error_log
[alert]



=== TEST 60: chat_program without an argument
--- http_config
# bare
    chat_program;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_program" directive}]
--- no_error_log
[alert]



=== TEST 61: chat_websocket with an argument
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



=== TEST 62: chat_websocket outside a location
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



=== TEST 63: chat_rpc with an argument
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



=== TEST 64: chat_rpc outside a location
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



=== TEST 65: chat_echo with an argument
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



=== TEST 66: chat_echo outside a location
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



=== TEST 67: chat_status with an argument
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



=== TEST 68: chat_status outside a location
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



=== TEST 69: chat_metrics with an argument
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



=== TEST 70: chat_metrics outside a location
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



=== TEST 73: chat_presence_timeout without a time
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_presence_timeout x;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_presence_timeout" directive needs a time}]
--- no_error_log
[alert]



=== TEST 74: chat_presence_timeout above a day
--- http_config
# bare
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
    chat_presence_timeout 2d;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_presence_timeout" directive must be at most "1d"}]
--- no_error_log
[alert]



=== TEST 71: every directive at its bounds is taken
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



=== TEST 72: a server without any chat directive carries no chat
--- http_config
# bare
--- config
    location = /x { return 200 "plain"; }
--- request
GET /x
--- response_body: plain



=== TEST 73: a handler of another module behind ours
--- http_config
# bare
--- config
    location = /echo { chat_echo; proxy_pass http://127.0.0.1:1; }
--- must_die: 1
--- error_log eval
[q{"chat_echo" must stand in a location of its own: a directive behind it handles location "/echo"}]



=== TEST 74: chat_jwt_key with a parameter that is none
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY foo=bar;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "foo=bar" of "chat_jwt_key": write after the file "alg=ALGORITHM"}]
--- no_error_log
[alert]



=== TEST 75: chat_jwt_key with an empty kid
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY kid=;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "kid=" of "chat_jwt_key"}]
--- no_error_log
[alert]



=== TEST 76: chat_jwt_key with two kids
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY kid=a kid=b;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "kid=b" of "chat_jwt_key"}]
--- no_error_log
[alert]



=== TEST 77: chat_jwt_key with an algorithm that is none
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY alg=none;
--- config

--- must_die: 1
--- error_log eval
[q{invalid algorithm "none" in "chat_jwt_key": write "HS256", "RS256", "ES256" or "EdDSA"}]
--- no_error_log
[alert]



=== TEST 78: chat_jwt_key RS256 with a secret
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY alg=RS256;
--- config

--- must_die: 1
--- error_log eval
[q{is one for HS256: "alg=RS256" does not fit}]
--- no_error_log
[alert]



=== TEST 79: chat_jwt_key with one kid for two keys
--- http_config
# bare
    chat_jwt_key $TEST_NGINX_CHAT_KEY kid=a; chat_jwt_key $TEST_NGINX_CHAT_KEY kid=a;
--- config

--- must_die: 1
--- error_log eval
[q{of "chat_jwt_key" has the kid of another key}]
--- no_error_log
[alert]



=== TEST 80: chat_jwks without an argument
--- http_config
# bare
    chat_jwks;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_jwks" directive}]
--- no_error_log
[alert]



=== TEST 81: chat_jwks of a file that is not there
--- http_config
# bare
    chat_jwks /nonexistent/jwks;
--- config

--- must_die: 1
--- error_log eval
[q{"/nonexistent/jwks" of "chat_jwks" failed (2: No such file}]
--- no_error_log
[alert]



=== TEST 82: chat_jwks of a file that is none
--- http_config
# bare
    chat_jwks $TEST_NGINX_CHAT_KEY;
--- config

--- must_die: 1
--- error_log eval
[q{of "chat_jwks" is not a JWK Set, one JSON object}]
--- no_error_log
[alert]



=== TEST 83: chat_jwks with a kid
--- http_config
# bare
    chat_jwks $TEST_NGINX_CHAT_KEY kid=a;
--- config

--- must_die: 1
--- error_log eval
[q{invalid parameter "kid=a" of "chat_jwks": write after the file "iss=ISSUER" or "aud=AUDIENCE"}]
--- no_error_log
[alert]



=== TEST 84: several keys, with and without parameters
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



=== TEST 85: chat_accounts maybe is refused
--- http_config
# bare
    chat_accounts maybe;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX" with the beginning of the ids that nobody may sign up with}]
--- no_error_log
[alert]



=== TEST 86: chat_accounts off with a prefix is refused
--- http_config
# bare
    chat_accounts off reserved=site-;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX"}]
--- no_error_log
[alert]



=== TEST 87: chat_accounts with an empty prefix is refused
--- http_config
# bare
    chat_accounts on reserved=;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX"}]
--- no_error_log
[alert]



=== TEST 88: chat_accounts with a prefix that begins no id is refused
--- http_config
# bare
    chat_accounts on reserved=a/b;
--- config

--- must_die: 1
--- error_log eval
[q{of A-Z a-z 0-9 _ . @ + -}]
--- no_error_log
[alert]



=== TEST 89: chat_accounts with another parameter is refused
--- http_config
# bare
    chat_accounts on prefix=a;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_accounts": write "off", "on" or "on reserved=PREFIX"}]
--- no_error_log
[alert]



=== TEST 90: chat_accounts twice
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



=== TEST 91: chat_accounts without a secret to sign with
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



=== TEST 92: chat_token_lifetime 0 is refused
--- http_config
# bare
    chat_token_lifetime 0;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_token_lifetime" directive needs a time from "1s" to "365d": write for example "30d"}]
--- no_error_log
[alert]



=== TEST 93: chat_token_lifetime above a year is refused
--- http_config
# bare
    chat_token_lifetime 366d;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_token_lifetime" directive needs a time from "1s" to "365d"}]
--- no_error_log
[alert]



=== TEST 94: chat_token_lifetime ever is refused
--- http_config
# bare
    chat_token_lifetime ever;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_token_lifetime" directive needs a time from "1s" to "365d"}]
--- no_error_log
[alert]



=== TEST 95: chat_token_lifetime twice
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



=== TEST 96: accounts at every level, and their bounds
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



=== TEST 97: chat_deflate maybe is refused
--- http_config
# bare
    chat_deflate maybe;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 98: chat_deflate on fast is refused
--- http_config
# bare
    chat_deflate on fast;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 99: chat_deflate off level=3 is refused
--- http_config
# bare
    chat_deflate off level=3;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 100: chat_deflate on level=0 is refused
--- http_config
# bare
    chat_deflate on level=0;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 101: chat_deflate on level=10 is refused
--- http_config
# bare
    chat_deflate on level=10;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 102: chat_deflate on level= is refused
--- http_config
# bare
    chat_deflate on level=;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 103: chat_deflate on min=63 is refused
--- http_config
# bare
    chat_deflate on min=63;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 104: chat_deflate on min=17m is refused
--- http_config
# bare
    chat_deflate on min=17m;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 105: chat_deflate on min=x is refused
--- http_config
# bare
    chat_deflate on min=x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 106: chat_deflate on level=3 min=64 x=1 is refused
--- http_config
# bare
    chat_deflate on level=3 min=64 x=1;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_deflate" directive}]
--- no_error_log
[alert]



=== TEST 107: chat_deflate twice
--- http_config
# bare
    chat_deflate on; chat_deflate off;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_deflate" directive is duplicate}]
--- no_error_log
[alert]
