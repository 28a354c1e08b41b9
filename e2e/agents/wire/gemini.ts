import { contentText, objectOf, objectsOf, parameterNames, textOf, type Conversation, type Json } from '../conversation.ts';
import type { Failure } from '../script.ts';
import { freshId, pieces, type FittedAnswer, type Wire, type WireEvent } from './wire.ts';

const STATES: Readonly<Record<Failure['fail'], string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  529: 'UNAVAILABLE',
};

const read = (body: Json, path: string): Conversation => {
  const parts = objectsOf(body['contents']).flatMap((content) =>
    objectsOf(content['parts']).map((part) => ({ part, role: content['role'] })),
  );
  return {
    model: /\/models\/([^:]+):/.exec(path)?.[1] ?? '',
    system: contentText(objectOf(body['systemInstruction'])['parts']),
    prompts: parts.filter(({ part, role }) => role === 'user' && typeof part['text'] === 'string').map(({ part }) => textOf(part['text'])),
    tools: objectsOf(body['tools']).flatMap((group) =>
      objectsOf(group['functionDeclarations']).map((tool) => ({
        name: textOf(tool['name']),
        parameters: parameterNames(tool['parametersJsonSchema'] ?? tool['parameters']),
      })),
    ),
    toolResults: parts
      .filter(({ part }) => part['functionResponse'] !== undefined)
      .map(({ part }) => {
        const answer = objectOf(part['functionResponse']);
        const response = objectOf(answer['response']);
        return {
          id: textOf(answer['id']),
          text: textOf(response['output']) || JSON.stringify(response),
          isError: response['error'] !== undefined,
        };
      }),
    stream: path.includes(':stream'),
    wantsJson: objectOf(body['generationConfig'])['responseMimeType'] === 'application/json',
  };
};

const FINISH = { end: 'STOP', max_tokens: 'MAX_TOKENS', refusal: 'SAFETY' } as const;

const usageOf = ({ usage }: FittedAnswer): Json => ({
  promptTokenCount: usage.input,
  cachedContentTokenCount: usage.cached,
  candidatesTokenCount: usage.output,
  totalTokenCount: usage.input + usage.output,
});

const partsOf = (answer: FittedAnswer): Json[] => [
  ...pieces(answer.think).map((text) => ({ text, thought: true })),
  ...pieces(answer.say).map((text) => ({ text })),
  ...answer.calls.map((call) => ({ functionCall: { id: freshId('fc'), name: call.tool.name, args: call.input } })),
];

const documentOf = (answer: FittedAnswer, parts: readonly Json[], responseId: string, last: boolean): Json => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...(last && { finishReason: FINISH[answer.stop] }) }],
  ...(last && { usageMetadata: usageOf(answer) }),
  modelVersion: 'scripted',
  responseId,
});

function* events(answer: FittedAnswer): Generator<WireEvent> {
  const id = freshId('r');
  const parts = partsOf(answer);
  for (const part of parts.slice(0, -1)) yield { data: documentOf(answer, [part], id, false) };
  yield { data: documentOf(answer, parts.slice(-1), id, true) };
}

/** Gemini, `POST /v1beta/models/<model>:streamGenerateContent`. */
export const gemini: Wire = {
  name: 'gemini',
  matches: (path) => /:(streamG|g)enerateContent$/.test(path),
  read,
  events,
  whole: (answer) => documentOf(answer, partsOf(answer), freshId('r'), true),
  refusal: ({ fail, message, retry_after, limit_resets_in }) => {
    const delay = limit_resets_in ?? retry_after;
    return {
      headers: {},
      body: {
        error: {
          code: fail,
          message,
          status: STATES[fail],
          ...(delay !== undefined && {
            details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${delay}s` }],
          }),
        },
      },
    };
  },
};
