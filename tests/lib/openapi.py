"""A Server whose resource answers are each checked against docs/openapi.yaml.

Checked.api fails when a route, a status or a header is not described, or when
an answer does not fit its schema (python3-jsonschema, draft 2020-12, which is
what OpenAPI 3.1 speaks).  At the end of a file `covered` says what was seen.
"""

import json
import re

import jsonschema
import yaml

import chat

with open(chat.ROOT + '/docs/openapi.yaml') as f:
    DOCUMENT = yaml.safe_load(f)

with open(chat.ROOT + '/docs/openrpc.json') as f:
    RESOLVER = jsonschema.RefResolver('', DOCUMENT, store={'openrpc.json': json.load(f)})
covered = set()


def resolve(node):
    while '$ref' in node:
        node = RESOLVER.resolve(node['$ref'])[1]
    return node


def operation(method, path):
    """(path in the document, operation), or None for no such route."""
    method = 'get' if method == 'HEAD' else method.lower()
    for template, item in DOCUMENT['paths'].items():
        pattern = re.sub(r'\\\{\w+\\\}', '[^/]+', re.escape(template))
        if re.fullmatch(pattern, '/' + path.partition('?')[0]) and method in item:
            return template, item[method]
    return None


def check(method, path, status, headers, body):
    found = operation(method, path)
    if not found:
        if status not in (204, 401, 404, 405, 403):
            raise AssertionError('%s %s is answered %d and not described' % (method, path, status))
        schema = {'$ref': '#/components/schemas/Problem'}
        if body is not None:
            jsonschema.Draft202012Validator(schema, resolver=RESOLVER).validate(body)
        return
    template, described = found
    responses = described['responses']
    key = str(status) if str(status) in responses else 'default'
    if key not in responses or (key == 'default' and status < 400):
        raise AssertionError('%s %s: %d is not described' % (method, template, status))
    response = resolve(responses[key])
    for name, header in response.get('headers', {}).items():
        if resolve(header).get('required') and name.lower() not in headers:
            raise AssertionError('%s %s: %d without %s' % (method, template, status, name))
    covered.add((method, template, status))
    content = response.get('content')
    if method == 'HEAD' or not content:
        if body is not None:
            raise AssertionError('%s %s: %d has a body' % (method, template, status))
        return
    kind = headers['content-type'].partition(';')[0]
    jsonschema.Draft202012Validator(content[kind]['schema'], resolver=RESOLVER).validate(body)


class Checked(chat.Server):
    def api(self, user, method, path, body=None, headers=None, **options):
        answer = super().api(user, method, path, body, headers, **options)
        check(method, path, *answer)
        return answer
