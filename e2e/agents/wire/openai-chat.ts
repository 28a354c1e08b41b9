import { contentText, objectOf, objectsOf, parameterNames, textOf, type Conversation, type Json } from '../conversation.ts';
import { openaiRefusal } from './openai-refusal.ts';
import { freshId, inputText, pieces, type FittedAnswer, type Wire, type WireEvent } from './wire.ts';

const read = (body: Json): Conversation => {
  const messages = objectsOf(body['messages']);
  const of = (...roles: string[]) => messages.filter((message) => roles.includes(textOf(message['role'])));
  return {
    model: textOf(body['model']),
    system: of('system', 'developer')
      .map((message) => contentText(message['content']))
      .join('\n'),
    prompts: of('user').map((message) => contentText(message['content'])),
    tools: objectsOf(body['tools']).map((tool) => {
      const offered = objectOf(tool['function']);
      return { name: textOf(offered['name']), parameters: parameterNames(offered['parameters']) };
    }),
    toolResults: of('tool').map((message) => ({
      id: textOf(message['tool_call_id']),
      text: contentText(message['content']),
      isError: false,
    })),
    stream: body['stream'] === true,
    wantsJson: textOf(objectOf(body['response_format'])['type']).startsWith('json'),
  };
};

const stopOf = ({ calls, stop }: FittedAnswer): string => {
  if (calls.length > 0) return 'tool_calls';
  return { end: 'stop', max_tokens: 'length', refusal: 'content_filter' }[stop];
};

const usageOf = ({ usage }: FittedAnswer): Json => ({
  prompt_tokens: usage.input,
  prompt_tokens_details: { cached_tokens: usage.cached },
  completion_tokens: usage.output,
  total_tokens: usage.input + usage.output,
});

const callsOf = ({ calls }: FittedAnswer): Json[] =>
  calls.map((call, index) => ({
    index,
    id: freshId('call_'),
    type: 'function',
    function: { name: call.tool.name, arguments: inputText(call) },
  }));

const baseOf = ({ model }: Conversation, object: string): Json => ({
  id: freshId('chatcmpl-'),
  object,
  created: Math.floor(Date.now() / 1000),
  model,
});

function* events(answer: FittedAnswer, conversation: Conversation): Generator<WireEvent> {
  const base = baseOf(conversation, 'chat.completion.chunk');
  const chunk = (delta: Json, finish_reason: string | null = null): WireEvent => ({
    data: { ...base, choices: [{ index: 0, delta, finish_reason }] },
  });
  yield chunk({ role: 'assistant', content: '' });
  for (const reasoning_content of pieces(answer.think)) yield chunk({ reasoning_content });
  for (const content of pieces(answer.say)) yield chunk({ content });
  for (const call of callsOf(answer)) {
    const { index } = call;
    const given = objectOf(call['function']);
    yield chunk({ tool_calls: [{ ...call, function: { name: given['name'], arguments: '' } }] });
    for (const part of pieces(textOf(given['arguments']))) yield chunk({ tool_calls: [{ index, function: { arguments: part } }] });
  }
  yield chunk({}, stopOf(answer));
  yield { data: { ...base, choices: [], usage: usageOf(answer) } };
  yield { data: '[DONE]' };
}

/** OpenAI Chat Completions, `POST /v1/chat/completions`. */
export const openaiChat: Wire = {
  name: 'openai-chat',
  matches: (path) => path.endsWith('/chat/completions'),
  read,
  events,
  whole: (answer, conversation) => ({
    ...baseOf(conversation, 'chat.completion'),
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: answer.say, ...(answer.calls.length > 0 && { tool_calls: callsOf(answer) }) },
        finish_reason: stopOf(answer),
      },
    ],
    usage: usageOf(answer),
  }),
  refusal: openaiRefusal,
};
