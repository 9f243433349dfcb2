package ChatTest;

# What the files in t/ share: WebSocket frames and handshakes as bytes, tokens,
# a chatd for the file, and sections of their own:
#
#     --- frames eval       sent after a good handshake, which comes by itself
#     --- answer eval       the frames that must come back, to the last byte
#     --- path              of the handshake, default /echo
#     --- offers            its Sec-WebSocket-Extensions
#     --- closes: 1002      the same as an answer of one Close frame with this
#                           code and whatever reason
#
# Every block checks that error.log has no alert, no crit and no report of a
# sanitizer.

use strict;
use warnings;

use Test::Nginx::Socket -Base;
use Compress::Raw::Zlib;
use Digest::SHA qw(hmac_sha256 sha1);
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use JSON::PP;
use MIME::Base64 qw(encode_base64 encode_base64url);
use Time::HiRes qw(sleep time);

our @EXPORT = (@Test::Nginx::Socket::EXPORT, qw(
    frame text binary ping pong closing continuation server server_closing
    deflated handshake token pool KEY TEXT BINARY PING PONG CLOSE
));

use constant KEY => '0123456789abcdef0123456789abcdef';
use constant {CONTINUATION => 0, TEXT => 1, BINARY => 2, CLOSE => 8, PING => 9, PONG => 10};

my $ws_key = 'dGhlIHNhbXBsZSBub25jZQ==';    # RFC 6455, 1.3
my $root = $ENV{PWD};

my $scratch = $ENV{CHAT_SCRATCH} || tempdir('chat-t-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $run_dir = "$scratch/run";
my $pool;

mkdir $run_dir;
chmod 0755, $scratch;
$ENV{TEST_NGINX_CHAT_KEY} = "$scratch/key";
$ENV{TEST_NGINX_CHAT_RUN} = $run_dir;
open my $key_file, '>', "$scratch/key" or die "$scratch/key: $!";
print $key_file KEY, "\n";
close $key_file;


# --- frames of a client: fin, rsv and mask are options; length lies

sub frame ($$;%) {
    my ($opcode, $payload, %o) = @_;
    my $mask = exists $o{mask} ? $o{mask} : "\x37\xfa\x21\x3d";
    my $length = exists $o{length} ? $o{length} : length $payload;
    my $bit = defined $mask ? 0x80 : 0;
    my $fin = exists $o{fin} ? $o{fin} : 1;
    my $head = chr(($fin ? 0x80 : 0) | ($o{rsv} || 0) << 4 | $opcode);

    if (($o{wide} || 0) == 64 || $length > 0xffff) {
        $head .= pack 'CQ>', $bit | 127, $length;
    } elsif (($o{wide} || 0) == 16 || $length > 125) {
        $head .= pack 'Cn', $bit | 126, $length;
    } else {
        $head .= chr($bit | $length);
    }
    return $head . $payload unless defined $mask;
    my $key = $mask x (length($payload) / 4 + 1);
    return $head . $mask . ($payload ^ substr $key, 0, length $payload);
}

sub text ($;%)         { my $p = shift; frame(TEXT, $p, @_) }
sub binary ($;%)       { my $p = shift; frame(BINARY, $p, @_) }
sub ping ($;%)         { my $p = shift; frame(PING, $p, @_) }
sub pong ($;%)         { my $p = shift; frame(PONG, $p, @_) }
sub continuation ($;%) { my $p = shift; frame(CONTINUATION, $p, @_) }

# the payload of a compressed message; blocks come as characters
sub deflated ($) {
    my ($text) = @_;
    utf8::downgrade($text);
    my $z = Compress::Raw::Zlib::Deflate->new(-WindowBits => -15);
    my ($body, $end);
    $z->deflate($text, $body) == Z_OK && $z->flush($end, Z_SYNC_FLUSH) == Z_OK or die 'deflate';
    my $payload = $body . $end;
    utf8::downgrade($payload);
    return substr $payload, 0, -4;
}

sub closing (;$$) {
    my ($code, $reason) = @_;
    return frame(CLOSE, defined $code ? pack('n', $code) . ($reason // '') : '');
}

# a frame of the server
sub server ($$) {
    my ($opcode, $payload) = @_;
    return frame($opcode, $payload, mask => undef);
}

sub server_closing (;$) {
    my ($code) = @_;
    return server(CLOSE, defined $code ? pack('n', $code) : '');
}

# --- handshakes

# %change replaces a header by its name, or leaves it out when undef
sub handshake ($;%) {
    my ($path, %change) = @_;
    my $method = delete $change{method} || 'GET';
    my $version = delete $change{version} || 'HTTP/1.1';
    my @headers = (
        ['Host', 'localhost'], ['Upgrade', 'websocket'], ['Connection', 'Upgrade'],
        ['Sec-WebSocket-Key', $ws_key], ['Sec-WebSocket-Version', '13'],
    );
    my $request = "$method $path $version\r\n";
    for my $h (@headers) {
        my ($name, $value) = @$h;
        $value = delete $change{$name} if exists $change{$name};
        next unless defined $value;
        $request .= "$name: $_\r\n" for ref $value ? @$value : $value;
    }
    for my $name (sort keys %change) {
        next unless defined $change{$name};
        $request .= "$name: $_\r\n" for ref $change{$name} ? @{$change{$name}} : $change{$name};
    }
    return "$request\r\n";
}

# --- tokens: claims replace the defaults; _header, _key and _raw for bad ones

sub token ($;%) {
    my ($user, %claims) = @_;
    my $header = delete $claims{_header} || {alg => 'HS256', typ => 'JWT'};
    my $key = delete $claims{_key} || KEY;
    my $raw = delete $claims{_raw};
    %claims = (sub => $user, exp => int(time) + 3600, %claims);
    delete $claims{$_} for grep { !defined $claims{$_} } keys %claims;
    my $json = JSON::PP->new->canonical->allow_nonref;
    my $signed = encode_base64url(ref $header ? $json->encode($header) : $header) . '.'
        . encode_base64url(defined $raw ? $raw : $json->encode(\%claims));
    return $signed . '.' . encode_base64url(hmac_sha256($signed, $key));
}

# --- a chatd for this file, started at the first call

sub pool () {
    return if $pool;
    my $chatd = ($ENV{CHAT_OBJS} || "$root/objs") . '/chatd';
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$scratch/chatd.out";
        open STDERR, '>&', \*STDOUT;
        exec $chatd, '-d', $run_dir, '-n', 1, '-s', "leveldb:$scratch/store";
        die "$chatd: $!";
    }
    $pool = $pid;
    my $end = time + 20;
    until (IO::Socket::UNIX->new(Peer => "$run_dir/worker-0.sock")) {
        die "chatd did not start: " . `tail -n 5 $run_dir/chatd.log $scratch/chatd.out`
            if time > $end || waitpid($pid, 1) == $pid;
        sleep 0.02;
    }
    return;
}

END {
    if ($pool) {
        my $status = $?;
        kill TERM => $pool;
        waitpid $pool, 0;
        $? = $status;
    }
}


# --- the sections

my $http = <<'_EOC_';
    chat_workers unix:$TEST_NGINX_CHAT_RUN;
    chat_jwt_key $TEST_NGINX_CHAT_KEY;
_EOC_

my $locations = <<'_EOC_';
    location = /echo { chat_echo; }
    location = /ws { chat_websocket; }
    location = /rpc { chat_rpc; }
    location = /status { chat_status; }
_EOC_

my $quiet = "[alert]\n[crit]\n[emerg]\nruntime error\nSanitizer\n";

# waits for 127.0.0.1 to stop listening would be the harness's business; ours
# is to fill in what a block leaves out
add_block_preprocessor(sub {
    my ($block) = @_;

    return if defined $block->http_config && $block->http_config =~ /^\s*#\s*bare/;

    my $given = $block->http_config;
    $block->set_value(http_config => $http . ($given // ''));
    $block->set_value(config => $locations) unless defined $block->config;

    if (defined $block->frames) {
        my $frames = $block->frames;
        my $path = $block->path // '/echo';
        chomp $path;
        my @parts = ref $frames ? @$frames : ($frames);
        # one write unless the block asks for several
        my %offers;
        if (defined $block->offers) {
            chomp($offers{'Sec-WebSocket-Extensions'} = $block->offers);
        }
        if (defined $block->raw_request_middle_delay) {
            $block->set_value(raw_request => [handshake($path, %offers), @parts]);
        } else {
            $block->set_value(raw_request => join '', handshake($path, %offers), @parts);
        }
        $block->set_value(error_code => 101) unless defined $block->error_code;
    }
    if (defined $block->answer) {
        my $answer = $block->answer;
        $block->set_value(response_body => ref $answer ? join('', @$answer) : $answer);
    }
    if (defined $block->closes) {
        my $want = quotemeta pack 'n', $block->closes;
        $block->set_value(response_body_like => qr/\A\x88[\x02-\x7d]$want/s);
    }
    $block->set_value(no_error_log => $quiet) unless defined $block->no_error_log;
});

# sections with `eval` are evaluated in this package
{
    no strict 'refs';
    *{"Test::Base::Filter::$_"} = \&{$_} for qw(
        frame text binary ping pong closing continuation server server_closing
        deflated handshake token KEY CONTINUATION TEXT BINARY CLOSE PING PONG
    );
}

no_long_string();
no_shuffle();

1;
