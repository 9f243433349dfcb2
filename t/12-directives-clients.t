
# What `nginx -t` says to a configuration: origins, rates, times, sizes and
# compression of connections, with their bounds.

use ChatTest;

plan('no_plan');
run_tests();

__DATA__

=== TEST 1: chat_origin example.org is refused
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



=== TEST 2: chat_origin https://example.org/ is refused
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



=== TEST 3: chat_origin https://example.org/path is refused
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



=== TEST 4: chat_origin * is refused
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



=== TEST 5: chat_origin https://*.example.org is refused
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



=== TEST 6: chat_origin any https://a.b is refused
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



=== TEST 7: chat_rate 50 is refused
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



=== TEST 8: chat_rate 50r/m is refused
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



=== TEST 9: chat_rate 0r/s is refused
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



=== TEST 10: chat_rate -5r/s is refused
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



=== TEST 11: chat_rate fast is refused
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



=== TEST 12: chat_rate 50r/s 100 is refused
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



=== TEST 13: chat_rate 50r/s burst=0 is refused
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



=== TEST 14: chat_rate 2000000r/s is refused
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



=== TEST 15: chat_unknown_users maybe is refused
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



=== TEST 16: chat_heartbeat without a time
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



=== TEST 17: chat_heartbeat below a second
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



=== TEST 18: chat_heartbeat above a day
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



=== TEST 19: chat_heartbeat twice
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



=== TEST 20: chat_send_timeout without a time
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



=== TEST 21: chat_send_timeout below a second
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



=== TEST 22: chat_send_timeout above a day
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



=== TEST 23: chat_send_timeout twice
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



=== TEST 24: chat_message_max x is refused
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



=== TEST 25: chat_message_max 1023 is refused
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



=== TEST 26: chat_message_max 17m is refused
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



=== TEST 27: chat_message_max 0 is refused
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



=== TEST 28: chat_send_queue x is refused
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



=== TEST 29: chat_send_queue 4095 is refused
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



=== TEST 30: chat_send_queue 0 is refused
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



=== TEST 31: chat_deflate maybe is refused
--- http_config
# bare
    chat_deflate maybe;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 32: chat_deflate on fast is refused
--- http_config
# bare
    chat_deflate on fast;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 33: chat_deflate off level=3 is refused
--- http_config
# bare
    chat_deflate off level=3;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 34: chat_deflate on level=0 is refused
--- http_config
# bare
    chat_deflate on level=0;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 35: chat_deflate on level=10 is refused
--- http_config
# bare
    chat_deflate on level=10;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 36: chat_deflate on level= is refused
--- http_config
# bare
    chat_deflate on level=;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 37: chat_deflate on min=63 is refused
--- http_config
# bare
    chat_deflate on min=63;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 38: chat_deflate on min=17m is refused
--- http_config
# bare
    chat_deflate on min=17m;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 39: chat_deflate on min=x is refused
--- http_config
# bare
    chat_deflate on min=x;
--- config

--- must_die: 1
--- error_log eval
[q{invalid "chat_deflate": write "off", "on" or "on level=3 min=256", the level from 1 to 9, the size from 64 to "16m"}]
--- no_error_log
[alert]



=== TEST 40: chat_deflate on level=3 min=64 x=1 is refused
--- http_config
# bare
    chat_deflate on level=3 min=64 x=1;
--- config

--- must_die: 1
--- error_log eval
[q{invalid number of arguments in "chat_deflate" directive}]
--- no_error_log
[alert]



=== TEST 41: chat_deflate twice
--- http_config
# bare
    chat_deflate on; chat_deflate off;
--- config

--- must_die: 1
--- error_log eval
[q{"chat_deflate" directive is duplicate}]
--- no_error_log
[alert]
